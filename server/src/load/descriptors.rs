//! What a process has open, in all its tables.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Descriptors that a process has open, in the table of its main thread and in those that other
/// threads have for themselves, as the workers of `barewire serve` do. Two threads share a table if
/// the first socket of one is in that of the other, under the same number. (Standard streams say
/// nothing, as all may have them; a table without other sockets is taken for the main thread's.)
///
/// # Errors
/// If there is no such process, or it may not be looked at; everywhere but on Linux.
pub fn open_descriptors(pid: u32) -> io::Result<u64> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let count = |table: &Path| Ok::<_, io::Error>(fs::read_dir(table.join("fd"))?.count() as u64);
    let mut sum = count(&process)?;
    let mut tables = vec![process.clone()];
    for task in fs::read_dir(process.join("task"))? {
        let table = task?.path();
        // A thread may end at any moment, and what it has open with it.
        let Ok(Some((number, socket))) = first_socket(&table) else {
            continue;
        };
        let has_it = |known: &PathBuf| {
            let link = fs::read_link(known.join("fd").join(&number));
            link.is_ok_and(|link| link == socket)
        };
        if !tables.iter().any(has_it)
            && let Ok(open) = count(&table)
        {
            sum += open;
            tables.push(table);
        }
    }
    Ok(sum)
}

/// The number of the first socket in the table of a thread, standard streams apart, and its name.
fn first_socket(table: &Path) -> io::Result<Option<(PathBuf, PathBuf)>> {
    for entry in fs::read_dir(table.join("fd"))? {
        let entry = entry?;
        let number = entry.file_name();
        if ["0", "1", "2"].iter().any(|stream| number == *stream) {
            continue;
        }
        // What is closed meanwhile is passed over.
        if let Ok(link) = fs::read_link(entry.path())
            && link.to_string_lossy().starts_with("socket:")
        {
            return Ok(Some((number.into(), link)));
        }
    }
    Ok(None)
}
