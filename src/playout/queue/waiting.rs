//! A queue that drops nothing: what it keeps in memory, and when its application is to wait.

use std::collections::VecDeque;

use super::{FrameQueue, Item, MAX_QUEUED_BYTES};
use crate::playout::overflow::Share;

/// What a message or a mark takes beside its bytes: the entry, as many that a grown ring keeps free, an allocation's head.
const ENTRY_BYTES: usize = 2 * size_of::<Item>() + 64;

impl FrameQueue {
    /// Whether it drops nothing that finds it full.
    pub fn waits(&self) -> bool {
        self.share.is_some()
    }

    /// Bytes with which it is full, however few frames they are.
    pub fn max_bytes(&self) -> usize {
        self.share.as_ref().map_or(MAX_QUEUED_BYTES, Share::queue_bytes)
    }

    /// Whether nothing more is to be read from the application for now.
    pub fn holds(&self) -> bool {
        self.share.as_ref().is_some_and(Share::holds)
    }

    /// Media has come: nothing more is to be read if the queue is full with it.
    pub fn hold_if_full(&mut self) {
        let is_under_xon = self.is_under_xon();
        if let Some(share) = &mut self.share {
            share.hold_if_full(is_under_xon);
        }
    }

    /// Media has gone: true if the application was not to be read, and is from now on.
    pub fn release_if_room(&mut self) -> bool {
        let is_under_xon = self.abandoned || self.is_under_xon();
        self.share.as_mut().is_some_and(|share| share.release_if_room(is_under_xon))
    }

    pub(super) fn is_under_xon(&self) -> bool {
        self.frames < self.limits.xon.max(1)
    }

    /// Nothing more is played: gives all memory back, but goes on saying how many frames had waited. For a queue that drops
    /// nothing; another one is small.
    pub fn abandon(&mut self) {
        if self.share.is_none() {
            return;
        }
        self.abandoned = true;
        self.items = VecDeque::new();
        self.media_bytes = 0;
        self.mark_bytes = 0;
        self.count_memory();
    }

    /// Whether nothing more is to be queued.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Tells the sum of all queues what this one keeps.
    pub(super) fn count_memory(&mut self) {
        if let Some(share) = &mut self.share {
            share.set(self.media_bytes + self.mark_bytes + self.items.len() * ENTRY_BYTES);
        }
    }
}
