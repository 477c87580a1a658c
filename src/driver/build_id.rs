//! The build id that the linker writes into a shared object (`NT_GNU_BUILD_ID`), to tell two builds apart.

use std::io::{Read, Seek, SeekFrom};

/// Program header type of notes (elf(5)).
const PT_NOTE: u32 = 4;
/// Note type of the build id.
const NT_GNU_BUILD_ID: u32 = 3;
/// Notes are a few dozen bytes; a longer segment is not looked at.
const MAX_NOTES_BYTES: u64 = 64 * 1024;

/// The build id of a 64-bit little-endian ELF file; `None` if it is none or has none, or cannot be read.
pub fn of_file(mut file: impl Read + Seek) -> Option<Vec<u8>> {
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    if header.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, entry_size, entries) = (u64_at(&header, 32)?, u16_at(&header, 54)?, u16_at(&header, 56)?);
    for number in 0..u64::from(entries) {
        let mut entry = [0; 56];
        file.seek(SeekFrom::Start(table.checked_add(number * u64::from(entry_size))?)).ok()?;
        file.read_exact(&mut entry).ok()?;
        let (offset, len) = (u64_at(&entry, 8)?, u64_at(&entry, 32)?);
        if u32_at(&entry, 0)? != PT_NOTE || len > MAX_NOTES_BYTES {
            continue;
        }
        let mut notes = vec![0; usize::try_from(len).ok()?];
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut notes).ok()?;
        if let Some(id) = in_notes(&notes) {
            return Some(id.to_vec());
        }
    }
    None
}

/// The build id among the notes of a segment.
pub fn in_notes(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let (name_len, len) = (u32_at(notes, 0)? as usize, u32_at(notes, 4)? as usize);
        let kind = u32_at(notes, 8)?;
        let content = 12usize.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let end = content.checked_add(len)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..12 + name_len)? == b"GNU\0" {
            return notes.get(content..end);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.get(..2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.get(..4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.get(..8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn note(kind: u32, name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for number in [name.len(), content.len(), kind as usize] {
            note.extend((number as u32).to_le_bytes());
        }
        for part in [name, content] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    fn elf(notes: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 64 + 2 * 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64;
        file[54] = 56;
        file[56] = 2;
        // The first program header is of another type.
        file[64] = 1;
        file[120] = 4;
        file[128..136].copy_from_slice(&176u64.to_le_bytes());
        file[152..160].copy_from_slice(&(notes.len() as u64).to_le_bytes());
        file.extend(notes);
        file
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let notes =
            [note(5, b"GNU\0", b"property"), note(3, b"Go\0", b"other"), note(3, b"GNU\0", b"the id")];
        assert_eq!(of_file(Cursor::new(elf(&notes.concat()))).as_deref(), Some(&b"the id"[..]));
    }

    #[test]
    fn what_is_no_elf_file_or_is_cut_off_has_none() {
        let file = elf(&note(3, b"GNU\0", b"the id"));
        for len in 0..file.len() {
            assert_eq!(of_file(Cursor::new(&file[..len])), None, "{len} bytes");
        }
        assert_eq!(of_file(Cursor::new([b'x'; 1000])), None);
        assert_eq!(in_notes(&[255; 40]), None);
    }

    #[test]
    fn this_very_program_can_be_read() {
        // Whether it has a build id is the linker's affair; reading it must not fail in another way.
        let own = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let _ = of_file(own);
    }
}
