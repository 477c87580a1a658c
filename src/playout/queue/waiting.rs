//! A queue that drops nothing: the memory that it takes, and when its application has to wait.

use std::collections::VecDeque;

use super::{FrameQueue, Item, MAX_QUEUED_BYTES};
use crate::playout::overflow::Share;

/// Overhead of a message or a mark: its entry, a free entry of the ring, which may be half empty, and the header of an
/// allocation.
const ENTRY_BYTES: usize = 2 * size_of::<Item>() + 64;

impl FrameQueue {
    /// Whether it drops nothing when it is full.
    pub fn waits(&self) -> bool {
        self.share.is_some()
    }

    /// The number of bytes with which it is full, however few frames wait.
    pub fn max_bytes(&self) -> usize {
        self.share.as_ref().map_or(MAX_QUEUED_BYTES, Share::queue_bytes)
    }

    /// Whether the application must not be read now.
    pub fn holds(&self) -> bool {
        self.share.as_ref().is_some_and(Share::holds)
    }

    /// Called when media has been added: stops reading from the application if the queue is full.
    pub fn hold_if_full(&mut self) {
        let is_under_xon = self.is_under_xon();
        if let Some(share) = &mut self.share {
            share.hold_if_full(is_under_xon);
        }
    }

    /// Called when media has been removed. True if the application must be read again.
    pub fn release_if_room(&mut self) -> bool {
        let is_under_xon = self.abandoned || self.is_under_xon();
        self.share.as_mut().is_some_and(|share| share.release_if_room(is_under_xon))
    }

    pub(super) fn is_under_xon(&self) -> bool {
        self.frames < self.limits.xon.max(1)
    }

    /// Called when nothing more is played: frees all memory, but keeps the number of waiting frames. Only for a queue
    /// that drops nothing; any other is small and stays as it is.
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

    /// Whether nothing more may be queued.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Updates this queue's part of the sum of all queues.
    pub(super) fn count_memory(&mut self) {
        if let Some(share) = &mut self.share {
            share.set(self.media_bytes + self.mark_bytes + self.items.len() * ENTRY_BYTES);
        }
    }
}
