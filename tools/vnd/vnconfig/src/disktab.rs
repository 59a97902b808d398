// SPDX-License-Identifier: GPL-2.0

//! Types of disks, as disktab(5) describes them.
//!
//! An entry is a line of fields between colons; a line that ends with a backslash goes on in the next. The first field
//! has the names of the type, separated by bars. Of the others these matter: `se#`, `ns#`, `nt#` and `nc#` are the bytes of
//! a sector, the sectors of a track, the tracks of a cylinder, and the cylinders; `tc=` names an entry that has what is
//! missing here.

use std::fs;
use std::path::Path;

use anyhow::{
    Context,
    Result, //
};
use vnd_proto::ioctl::Geom;

/// How often `tc=` is followed.
const MAX_DEPTH: u32 = 32;

/// Bytes of a sector unless the entry says otherwise.
const SECTOR_BYTES: u32 = 512;

/// Finds the geometry of a type in a file.
pub fn read(file: &Path, name: &str) -> Result<Geom> {
    let unknown = || format!("unknown disk type: {name}");
    let text = fs::read(file)
        .map_err(crate::device::sentence)
        .with_context(|| file.display().to_string())
        .with_context(unknown)?;
    find(&String::from_utf8_lossy(&text), name).with_context(unknown)
}

fn find(text: &str, name: &str) -> Option<Geom> {
    let table = Table(entries(text));
    drop(table.entry(name)?);
    let number = |field| table.number(name, field, MAX_DEPTH);
    Some(Geom {
        secsize: number("se").unwrap_or(SECTOR_BYTES),
        nsectors: number("ns").unwrap_or(0),
        ntracks: number("nt").unwrap_or(0),
        ncylinders: number("nc").unwrap_or(0),
    })
}

/// The entries of a file, each in one line.
fn entries(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut entries = vec![String::new()];
    for line in lines {
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        if let Some(entry) = entries.last_mut() {
            entry.push_str(line.trim_start());
        }
        if !goes_on {
            entries.push(String::new());
        }
    }
    entries.retain(|entry| !entry.is_empty());
    entries
}

struct Table(Vec<String>);

impl Table {
    /// The fields of a type.
    fn entry<'a>(&'a self, name: &str) -> Option<impl Iterator<Item = &'a str>> {
        self.0.iter().find_map(|entry| {
            let mut fields = entry.split(':').map(str::trim);
            let names = fields.next()?;
            names
                .split('|')
                .any(|other| other == name)
                .then_some(fields)
        })
    }

    /// A number of a type.
    fn number(&self, name: &str, field: &str, depth: u32) -> Option<u32> {
        for text in self.entry(name)? {
            if let Some(other) = text.strip_prefix("tc=") {
                let found = self.number(other, field, depth.checked_sub(1)?);
                if found.is_some() {
                    return found;
                }
            }
            if let Some(number) = text.strip_prefix(field).and_then(|t| t.strip_prefix('#')) {
                return parse(number);
            }
        }
        None
    }
}

/// Decimal, octal or hexadecimal, as in C.
fn parse(number: &str) -> Option<u32> {
    if let Some(digits) = number.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok();
    }
    let radix = if number.starts_with('0') { 8 } else { 10 };
    u32::from_str_radix(number, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A comment, with a type|in it:ns#1:
floppy|floppy3|3.5in High Density Floppy:\\
\t:ty=floppy:se#512:nt#2:rm#300:ns#18:nc#80:\\
\t:pa#2880:oa#0:ba#4096:
big:se#0x1000:ns#010:nt#64:nc#0:
child:nc#7:tc=big:ns#99:
grandchild:tc=none:tc=child:nt#2:
loop:tc=loop:
broken:ns#x:
";

    #[track_caller]
    fn assert_found(name: &str, geometry: &str) {
        assert_eq!(find(TEXT, name).unwrap().to_string(), geometry);
    }

    #[test]
    fn a_type_is_found_by_any_of_its_names() {
        for name in ["floppy", "floppy3", "3.5in High Density Floppy"] {
            assert_found(name, "512/18/2/80");
        }
        for name in ["flop", "in it", "", "ty=floppy"] {
            assert!(find(TEXT, name).is_none(), "{name}");
        }
    }

    #[test]
    fn numbers_are_as_in_c_and_may_be_missing() {
        assert_found("big", "4096/8/64/0");
        assert_found("broken", "512/0/0/0");
    }

    #[test]
    fn what_is_missing_is_taken_from_another_type() {
        assert_found("child", "4096/8/64/7");
        assert_found("grandchild", "4096/8/64/7");
        assert_found("loop", "512/0/0/0");
    }
}
