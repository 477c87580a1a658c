/* Preloaded into Asterisk by tests/host/life. A file that the test writes makes the wall clock jump, threads fail to
 * start, allocations fail, epoll refuse descriptors, and locks be busy. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Written by the test, which also reads counts from it. */
struct control {
    int64_t wall_offset_s;  /* added to the wall clock */
    int64_t threads_denied; /* the module gets no more threads, once it has had `threads_left` */
    int64_t threads_left;
    int64_t fail_at; /* fail the allocation of this number (from 1) that the core makes for the module; 0: none */
    int64_t seen;    /* such allocations so far */
    int64_t failed;  /* allocations that failed */
    int64_t polls_denied; /* this many more descriptors are refused by the epoll of the module's reactors */
    int64_t locks_busy;   /* this many more locks are busy when the job thread tries them */
    int64_t locks_foreign; /* locks that a thread released without having them */
    int64_t locks_busy_elsewhere; /* this many more are busy when Asterisk's threads and players try them */
};

static struct control *control;
static uintptr_t module_start, module_end;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_epoll_ctl)(int, int, int, struct epoll_event *);
static int (*real_mutex_trylock)(pthread_mutex_t *);
static int (*real_mutex_unlock)(pthread_mutex_t *);

static _Thread_local int inside;

__attribute__((constructor)) static void start(void)
{
    void *frames[4];
    const char *path = getenv("FAULT_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    inside = 1;
    real_malloc = dlsym(RTLD_NEXT, "malloc");
    real_calloc = dlsym(RTLD_NEXT, "calloc");
    real_realloc = dlsym(RTLD_NEXT, "realloc");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_pthread_create = dlsym(RTLD_NEXT, "pthread_create");
    real_epoll_ctl = dlsym(RTLD_NEXT, "epoll_ctl");
    real_mutex_trylock = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
    real_mutex_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    backtrace(frames, 4); /* loads what it needs */
    inside = 0;
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        control = map == MAP_FAILED ? NULL : map;
    }
}

static int find_module(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    if (!strstr(info->dlpi_name, "chan_websocket.so")) {
        return 0;
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
            module_start = info->dlpi_addr + segment->p_vaddr;
            module_end = module_start + segment->p_memsz;
        }
    }
    return 1;
}

static int in_module(const void *address)
{
    uintptr_t at = (uintptr_t)address;

    return at >= module_start && at < module_end;
}

/* Only the first allocation of __ast_channel_alloc may fail: the core does not survive the failure of another one. */
static int in_channel_alloc(const void *frame)
{
    static uintptr_t at;

    if (!at) {
        at = (uintptr_t)dlsym(RTLD_DEFAULT, "__ast_channel_alloc");
    }
    return (uintptr_t)frame >= at && (uintptr_t)frame < at + 512;
}

/* Whether the module called the function that makes this allocation, and the allocation has to fail. */
static int fails(const void *caller)
{
    void *frames[48];
    int depth, at;

    if (!control || !control->fail_at || inside) {
        return 0;
    }
    inside = 1;
    if (!module_start) {
        dl_iterate_phdr(find_module, NULL);
    }
    depth = in_module(caller) ? 0 : backtrace(frames, 48);
    for (at = 0; at < depth && !in_module(frames[at]); at++) {
    }
    inside = 0;
    if (at > 0 && at < depth && control->seen > 0 && in_channel_alloc(frames[at - 1])) {
        return 0;
    }
    if (at >= depth || __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST) != control->fail_at) {
        return 0;
    }
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) || !real_malloc ? NULL : real_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    /* dlsym itself allocates before the real function is known. */
    static char early[4096];
    static size_t used;
    size_t wanted = (count * size + 15) & ~(size_t)15;

    if (!real_calloc) {
        void *here = early + used;
        used += wanted;
        return used <= sizeof(early) ? here : NULL;
    }
    return fails(__builtin_return_address(0)) ? NULL : real_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) || !real_realloc ? NULL : real_realloc(old, size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    if (control && control->threads_denied) {
        dl_iterate_phdr(find_module, NULL);
        if (in_module(__builtin_return_address(0)) && __atomic_sub_fetch(&control->threads_left, 1, __ATOMIC_SEQ_CST) < 0) {
            return EAGAIN;
        }
    }
    return real_pthread_create(thread, attr, run, arg);
}

static int in_thread(const char *prefix)
{
    char name[16] = "";

    return !pthread_getname_np(pthread_self(), name, sizeof(name)) && !strncmp(name, prefix, strlen(prefix));
}

int epoll_ctl(int poll, int operation, int fd, struct epoll_event *event)
{
    if (control && control->polls_denied > 0 && operation == EPOLL_CTL_ADD && in_thread("ws-reactor")) {
        __atomic_sub_fetch(&control->polls_denied, 1, __ATOMIC_SEQ_CST);
        errno = ENOSPC;
        return -1;
    }
    return real_epoll_ctl(poll, operation, fd, event);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if (control && control->locks_busy > 0 && in_thread("ws-jobs")) {
        __atomic_sub_fetch(&control->locks_busy, 1, __ATOMIC_SEQ_CST);
        return EBUSY;
    }
    if (control && control->locks_busy_elsewhere > 0 && (in_thread("asterisk") || in_thread("ws-player-0"))) {
        __atomic_sub_fetch(&control->locks_busy_elsewhere, 1, __ATOMIC_SEQ_CST);
        return EBUSY;
    }
    return real_mutex_trylock(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    /* Other code uses locks before the constructor has run. */
    int result = real_mutex_unlock ? real_mutex_unlock(mutex) : 0;

    if (result == EPERM && control) {
        __atomic_add_fetch(&control->locks_foreign, 1, __ATOMIC_SEQ_CST);
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = real_clock_gettime(clock, now);

    if (control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += control->wall_offset_s;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    if (now) {
        *now = time.tv_sec;
    }
    return time.tv_sec;
}
