/* A module for tests/host/whisper: puts further descriptors on a channel, each with a framehook that removes the frame
 * that was read when that descriptor had woken the channel. Asterisk itself does so for a whisper, from 20.21, 22.11
 * and 23.5 on.
 *
 *   Set(DESCRIPTOR(idle)=<n>)         n descriptors that are never readable
 *   Set(DESCRIPTOR(timer)=<n>)        n timers that fire every millisecond
 *   Set(DESCRIPTOR(urgent)=<port>)    a TCP connection to this port of the machine, for urgent data
 *   Set(DESCRIPTOR(stuck)=<n>)        n descriptors that are always readable and never read; frames pass
 *   ${DESCRIPTOR(wakes)}              how often such descriptors have woken this channel so far
 */
#define AST_MODULE "cw_descriptor"
#define AST_MODULE_SELF_SYM cw_descriptor_self

#include <asterisk.h>

#include <arpa/inet.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <asterisk/channel.h>
#include <asterisk/framehook.h>
#include <asterisk/linkedlists.h>
#include <asterisk/module.h>
#include <asterisk/pbx.h>

enum kind { IDLE, TIMER, URGENT, STUCK };

static const char *const names[] = { "idle", "timer", "urgent", "stuck" };

struct descriptor {
    enum kind kind;
    int fd;
    int slot;
    struct ast_channel *chan;
    unsigned wakes;
    AST_LIST_ENTRY(descriptor) list;
};

/* All descriptors, for counting. */
static AST_LIST_HEAD_STATIC(all, descriptor);

static int open_timer(void)
{
    const struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd >= 0)
        timerfd_settime(fd, 0, &every, NULL);
    return fd;
}

static int open_connection(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &to, sizeof to)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_kind(enum kind kind, int value)
{
    switch (kind) {
    case TIMER:
        return open_timer();
    case URGENT:
        return open_connection(value);
    default:
        return eventfd(kind == STUCK, EFD_NONBLOCK | EFD_CLOEXEC);
    }
}

/* Makes the descriptor unreadable again, in the way of its kind. */
static void settle(struct descriptor *own)
{
    char bytes[256];

    if (own->kind == TIMER) {
        if (read(own->fd, bytes, 8) < 0)
            return;
    } else if (own->kind == URGENT) {
        recv(own->fd, bytes, 1, MSG_OOB | MSG_DONTWAIT);
        while (recv(own->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
    } else if (own->kind == STUCK) {
        /* A busy loop would take processor time from the other tests. */
        usleep(500);
    }
}

static struct ast_frame *on_event(struct ast_channel *chan, struct ast_frame *frame, enum ast_framehook_event event,
    void *data)
{
    struct descriptor *own = data;

    if (event == AST_FRAMEHOOK_EVENT_ATTACHED) {
        /* The first free position, which the core would use, too. */
        for (own->slot = AST_EXTENDED_FDS; ast_channel_fd(chan, own->slot) >= 0; own->slot++)
            ;
        ast_channel_set_fd(chan, own->slot, own->fd);
        AST_LIST_LOCK(&all);
        own->chan = chan;
        AST_LIST_INSERT_TAIL(&all, own, list);
        AST_LIST_UNLOCK(&all);
    } else if (event == AST_FRAMEHOOK_EVENT_DETACHED) {
        ast_channel_set_fd(chan, own->slot, -1);
        AST_LIST_LOCK(&all);
        AST_LIST_REMOVE(&all, own, list);
        AST_LIST_UNLOCK(&all);
    } else if (event == AST_FRAMEHOOK_EVENT_READ && ast_channel_fdno(chan) == own->slot) {
        AST_LIST_LOCK(&all);
        own->wakes++;
        AST_LIST_UNLOCK(&all);
        settle(own);
        if (own->kind != STUCK && frame && frame->frametype == AST_FRAME_VOICE) {
            ast_frfree(frame);
            return &ast_null_frame;
        }
    }
    return frame;
}

static void on_destroy(void *data)
{
    struct descriptor *own = data;

    close(own->fd);
    ast_free(own);
}

static int add(struct ast_channel *chan, enum kind kind, int value)
{
    struct ast_framehook_interface hook = {
        .version = AST_FRAMEHOOK_INTERFACE_VERSION,
        .event_cb = on_event,
        .destroy_cb = on_destroy,
    };
    struct descriptor *own = ast_calloc(1, sizeof *own);
    int id;

    if (!own)
        return -1;
    own->kind = kind;
    own->fd = open_kind(kind, value);
    if (own->fd < 0) {
        ast_log(LOG_ERROR, "no descriptor of kind %s: %s\n", names[kind], strerror(errno));
        ast_free(own);
        return -1;
    }
    hook.data = own;
    ast_channel_lock(chan);
    id = ast_framehook_attach(chan, &hook);
    ast_channel_unlock(chan);
    if (id < 0)
        on_destroy(own);
    /* Wakes the channel's thread, so that its next poll includes the new descriptor. */
    ast_queue_frame(chan, &ast_null_frame);
    return id < 0 ? -1 : 0;
}

static int write_function(struct ast_channel *chan, const char *function, char *data, const char *value)
{
    size_t kind;

    for (kind = 0; kind < ARRAY_LEN(names); kind++) {
        if (!strcmp(data, names[kind])) {
            int left = kind == URGENT ? 1 : atoi(value);

            while (left-- > 0)
                if (add(chan, kind, atoi(value)))
                    return -1;
            return 0;
        }
    }
    ast_log(LOG_ERROR, "%s(%s): idle, timer, urgent or stuck\n", function, data);
    return -1;
}

static int read_function(struct ast_channel *chan, const char *function, char *data, char *buffer, size_t length)
{
    struct descriptor *own;
    unsigned wakes = 0;

    AST_LIST_LOCK(&all);
    AST_LIST_TRAVERSE(&all, own, list) {
        if (own->chan == chan)
            wakes += own->wakes;
    }
    AST_LIST_UNLOCK(&all);
    snprintf(buffer, length, "%u", wakes);
    return 0;
}

static struct ast_custom_function descriptor_function = {
    .name = "DESCRIPTOR",
    .read = read_function,
    .write = write_function,
};

static int load_module(void)
{
    return ast_custom_function_register(&descriptor_function);
}

static int unload_module(void)
{
    return ast_custom_function_unregister(&descriptor_function);
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_DEFAULT, "Foreign descriptors on a channel",
    .support_level = AST_MODULE_SUPPORT_EXTENDED,
    .load = load_module,
    .unload = unload_module,
);
