//! The queue by itself: order, flow control, memory.

use super::*;
use proptest::prelude::*;

const LIMITS: QueueLimits = QueueLimits { max: 10, xoff: 9, xon: 8 };
const PTIME: Duration = Duration::from_millis(20);
const NOW: MonoTime = MonoTime::from_nanos(0);

fn frames(count: usize) -> Bytes {
    Bytes::from(vec![7; count * 4])
}

fn push(queue: &mut FrameQueue, count: usize) -> Option<Flow> {
    let (pushed, flow) = queue.push_media(frames(count), Cut::every(4), Pace::Live, NOW, PTIME);
    assert_eq!(pushed, count);
    flow
}

fn mark(id: &str) -> Event {
    Event::MediaMarkProcessed { correlation_id: Some(id.to_owned()), played_ms: None }
}

#[test]
fn the_default_levels_are_the_c_modules() {
    assert_eq!(QueueLimits::default(), QueueLimits { max: 1000, xoff: 900, xon: 800 });
}

#[test]
fn a_message_is_one_entry_and_is_not_copied() {
    let message = Bytes::from((0..=99).collect::<Vec<u8>>());
    let mut queue = FrameQueue::new(LIMITS, Overflow::Drop);
    assert_eq!(queue.push_media(message.clone(), Cut::every(16), Pace::Bulk, NOW, PTIME), (7, None));
    assert_eq!((queue.items.len(), queue.len_frames(), queue.media_bytes()), (1, 7, 100));
    for n in 0..7 {
        let (frame, _) = queue.pop_frame().unwrap();
        assert_eq!(frame.payload, message.slice(n * 16..(n * 16 + 16).min(100)), "frame {n}");
        assert_eq!(frame.payload.as_ptr(), message[n * 16..].as_ptr(), "frame {n}");
        assert_eq!(frame.pace, Pace::Bulk);
    }
    assert!(queue.is_empty());
    assert_eq!((queue.len_frames(), queue.media_bytes(), queue.high_water_frames()), (0, 0, 7));
}

#[test]
fn odd_pieces() {
    let mut queue = FrameQueue::new(LIMITS, Overflow::Drop);
    assert_eq!(queue.push_media(Bytes::new(), Cut::every(4), Pace::Live, NOW, PTIME), (0, None));
    assert!(queue.is_empty());
    assert_eq!(
        queue.push_media(frames(3), Cut::Whole, Pace::Live, NOW, PTIME),
        (1, None),
        "all of it is one frame"
    );
    assert_eq!(
        queue.push_media(frames(1), Cut::every(1000), Pace::Live, NOW, PTIME),
        (1, None),
        "shorter than a frame"
    );
    assert_eq!(queue.pop_frame().unwrap().0.payload.len(), 12);
    assert_eq!(queue.pop_frame().unwrap().0.payload.len(), 4);
    assert_eq!(queue.pop_frame(), None);
    assert_eq!(queue.pop_mark(), None);
    assert_eq!(queue.clear(), FlushedMedia::default());
}

#[test]
fn frames_of_a_message_may_differ_in_length() {
    let message = Bytes::from([&[0x00; 24][..], &[0x01; 20], &[0x02; 4], &[0x03], &[0x00; 7]].concat());
    let mut queue = FrameQueue::new(LIMITS, Overflow::Drop);
    assert_eq!(queue.push_media(message.clone(), Cut::G723, Pace::Bulk, NOW, PTIME), (5, None));
    let mut start = 0;
    for len in [24, 20, 4, 1, 7] {
        let (frame, _) = queue.pop_frame().unwrap();
        assert_eq!(frame.payload, message.slice(start..start + len));
        assert_eq!(frame.payload.as_ptr(), message[start..].as_ptr(), "not copied");
        start += len;
    }
    assert!(queue.is_empty());
    assert_eq!((queue.len_frames(), queue.media_bytes()), (0, 0));
}

#[test]
fn xoff_and_xon_are_said_once() {
    let mut queue = FrameQueue::new(LIMITS, Overflow::Drop);
    assert_eq!(push(&mut queue, 8), None);
    assert_eq!(push(&mut queue, 1), Some(Flow::Xoff));
    assert!(queue.is_full() && !queue.refuses_media());
    assert_eq!(push(&mut queue, 1), None, "said already");
    assert!(queue.refuses_media());
    let flows: Vec<_> = (0..5).map(|_| queue.pop_frame().unwrap().1).collect();
    assert_eq!(flows, [None, None, Some(Flow::Xon), None, None]);
    assert_eq!(push(&mut queue, 3), None, "back at 8");
    assert_eq!(push(&mut queue, 30), Some(Flow::Xoff), "a message may overshoot");
    let (media, flow) = (38 * PTIME, Some(Flow::Xon));
    assert_eq!(queue.clear(), FlushedMedia { frames: 38, media, flow, ..FlushedMedia::default() });
    assert_eq!(queue.clear(), FlushedMedia::default());
    assert_eq!(queue.high_water_frames(), 38);
}

#[test]
fn marks_are_not_frames_and_keep_their_place() {
    let mut queue = FrameQueue::new(LIMITS, Overflow::Drop);
    queue.push_mark(mark("a")).unwrap();
    push(&mut queue, 2);
    queue.push_mark(mark("b")).unwrap();
    queue.push_mark(mark("c")).unwrap();
    assert_eq!(queue.len_frames(), 2);
    assert_eq!((queue.head(), queue.pop_frame()), (Some(Head::Mark), None));
    assert_eq!(queue.pop_mark(), Some(mark("a")));
    assert_eq!((queue.head(), queue.pop_mark()), (Some(Head::Frame(Pace::Live)), None));
    assert!(queue.pop_frame().is_some() && queue.pop_frame().is_some());
    assert_eq!(queue.len_frames(), 0);
    assert!(!queue.is_empty());
    assert_eq!(queue.pop_mark(), Some(mark("b")));
    assert_eq!(queue.clear(), FlushedMedia { marks: vec!["c".to_owned()], ..FlushedMedia::default() });
    assert!(queue.is_empty());
}

#[test]
fn memory_is_bounded() {
    let mut queue = FrameQueue::new(QueueLimits::default(), Overflow::Drop);
    let id = "x".repeat(60_000);
    let kept = (0..1000).take_while(|_| queue.push_mark(mark(&id)).is_ok()).count();
    assert_eq!(kept, MAX_MARK_BYTES / (60_000 + size_of::<Item>()));
    assert_eq!(queue.push_mark(mark(&id)), Err(TooManyMarks));
    queue.pop_mark().unwrap();
    queue.push_mark(mark(&id)).unwrap();
    queue.clear();
    queue.push_mark(mark(&id)).unwrap();

    let huge = Bytes::from(vec![0; 1 << 20]);
    let kept = (0..1000).take_while(|_| {
        let refused = queue.refuses_media();
        queue.push_media(huge.clone(), Cut::Whole, Pace::Live, NOW, PTIME);
        !refused
    });
    assert_eq!(kept.count(), 64);
}

#[test]
fn a_burst_does_not_keep_its_memory() {
    let mut queue = FrameQueue::new(QueueLimits::default(), Overflow::Drop);
    (0..3000).for_each(|n| queue.push_mark(mark(&n.to_string())).unwrap());
    while queue.pop_mark().is_some() {}
    assert_eq!(queue.items.capacity(), 0);
    (0..10).for_each(|_| _ = push(&mut queue, 1));
    while queue.pop_frame().is_some() {}
    assert!(queue.items.capacity() > 0, "but a usual one does");
}

proptest! {
    #[test]
    fn counts_hold_and_flow_control_alternates(
        ops in prop::collection::vec((0..6_u8, 1_usize..12, 1_usize..9), 1..300),
    ) {
        let mut queue = FrameQueue::new(LIMITS, Overflow::Drop);
        // Frames by length, `None` a mark.
        let mut model: VecDeque<Option<usize>> = VecDeque::new();
        let mut said = vec![Flow::Xon];
        for (op, a, b) in ops {
            let flow = match op {
                0 | 1 if queue.refuses_media() => None,
                0 | 1 => {
                    let (count, flow) = queue.push_media(Bytes::from(vec![0; a * 3]), Cut::every(b), Pace::Live, NOW, PTIME);
                    let lens = vec![0; a * 3].chunks(b).map(|c: &[u8]| Some(c.len())).collect::<Vec<_>>();
                    prop_assert_eq!(count, lens.len());
                    model.extend(lens);
                    flow
                }
                2 => {
                    queue.push_mark(mark("")).unwrap();
                    model.push_back(None);
                    None
                }
                3 if a == 1 => {
                    model.clear();
                    queue.clear().flow
                }
                _ => match queue.head() {
                    Some(Head::Mark) => {
                        prop_assert!(queue.pop_mark().is_some());
                        prop_assert_eq!(model.pop_front(), Some(None));
                        None
                    }
                    Some(Head::Frame(_)) => {
                        let (frame, flow) = queue.pop_frame().unwrap();
                        prop_assert_eq!(model.pop_front(), Some(Some(frame.payload.len())));
                        flow
                    }
                    None => {
                        prop_assert!(model.is_empty());
                        None
                    }
                },
            };
            let len = model.iter().flatten().count();
            prop_assert_eq!(queue.len_frames(), len);
            prop_assert_eq!(queue.media_bytes(), model.iter().flatten().sum::<usize>());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            if let Some(flow) = flow {
                prop_assert_ne!(said.last(), Some(&flow));
                prop_assert!((flow == Flow::Xoff) == (len >= LIMITS.xoff));
                prop_assert!((flow == Flow::Xon) == (len < LIMITS.xon));
                said.push(flow);
            }
            prop_assert_eq!(queue.is_full(), said.last() == Some(&Flow::Xoff));
            prop_assert!(queue.is_full() || len < LIMITS.xoff);
            prop_assert!(!queue.is_full() || len >= LIMITS.xon);
        }
    }
}
