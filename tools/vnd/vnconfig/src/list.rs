// SPDX-License-Identifier: GPL-2.0

//! Which units have which files.

use std::fmt::Display;
use std::io::{
    self,
    Write, //
};
use std::path::PathBuf;

use anyhow::{
    Error,
    Result, //
};
use serde_json::{
    json,
    Value, //
};
use vnd_proto::ioctl::{
    flags,
    User,
    UNIT_MAX, //
};

use crate::args::List;
use crate::device::{
    self,
    Answer,
    Units, //
};
use crate::place::Place;
use crate::unit::Unit;

/// Lists what is asked for, and what can be said of it. `program` complains of the rest.
pub fn list(program: impl Display, options: &List) -> Result<()> {
    let mut units = Units::open()?;
    let (lines, mut failures) = match options.units.as_slice() {
        [] => all(|number| units.get(number), options.min)?,
        some => {
            let lines = some.iter().map(|name| one(&mut units, &Unit::parse(name)));
            (lines.collect::<Result<_>>()?, Vec::new())
        }
    };
    print(&lines, options.json)?;
    let Some(last) = failures.pop() else {
        return Ok(());
    };
    for failure in failures {
        eprintln!("{program}: {failure:#}");
    }
    Err(last)
}

fn print(lines: &[Line], json: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    if json {
        let lines: Vec<_> = lines.iter().map(Line::for_programs).collect();
        return writeln!(output, "{:#}", Value::from(lines));
    }
    for line in lines {
        writeln!(output, "{}", line.for_people())?;
    }
    Ok(())
}

/// All units that have a file, and those below `min`; and what is wrong with others, whose files may not answer.
fn all(mut ask: impl FnMut(u32) -> Answer, min: u32) -> Result<(Vec<Line>, Vec<Error>)> {
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    for number in 0..=UNIT_MAX {
        let line = match ask(number) {
            Ok(Some((user, name))) => Line::new(number, &user, name),
            // There are no more.
            Ok(None) if number >= min => break,
            Ok(None) => Line::unused(number),
            // It would be so for all of them.
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => {
                return Err(cannot_ask(number, error));
            }
            Err(error) => {
                failures.push(cannot_ask(number, error));
                continue;
            }
        };
        if number < min || line.file.is_some() {
            lines.push(line);
        }
    }
    Ok((lines, failures))
}

fn cannot_ask(number: u32, error: io::Error) -> Error {
    device::complain(Unit::Number(number).node(), "VNDIOCGET", error)
}

fn one(units: &mut Units, unit: &Unit) -> Result<Line> {
    let number = match unit {
        Unit::Number(number) => *number,
        Unit::Node(node) => device::number_of(node)?,
    };
    let answer = units.get(number);
    Ok(match answer.map_err(|error| cannot_ask(number, error))? {
        Some((user, name)) => Line::new(number, &user, name),
        None => Line::unused(number),
    })
}

/// What is said of a unit.
struct Line {
    number: u32,
    file: Option<(User, PathBuf)>,
}

impl Line {
    fn new(number: u32, user: &User, name: PathBuf) -> Self {
        let configured = user.flags & flags::CONFIGURED != 0;
        Self {
            number,
            file: configured.then_some((*user, name)),
        }
    }

    fn unused(number: u32) -> Self {
        Self { number, file: None }
    }

    fn for_people(&self) -> String {
        let number = self.number;
        match &self.file {
            None => format!("vnd{number}: not in use"),
            Some((user, _)) => {
                format!("vnd{number}: {} inode {}", Place::of(user.dev), user.ino)
            }
        }
    }

    fn for_programs(&self) -> Value {
        let unit = format!("vnd{}", self.number);
        let Some((user, name)) = &self.file else {
            return json!({ "unit": unit, "configured": false });
        };
        let has = |flag| user.flags & flag != 0;
        json!({
            "unit": unit,
            "configured": true,
            "file": name.to_string_lossy(),
            "device": format!("{}:{}", libc::major(user.dev), libc::minor(user.dev)),
            "inode": user.ino,
            "bytes": user.size,
            "geometry": {
                "secsize": user.geom.secsize,
                "nsectors": user.geom.nsectors,
                "ntracks": user.geom.ntracks,
                "ncylinders": user.geom.ncylinders,
            },
            "read_only": has(flags::READONLY),
            "file_io": has(flags::FILEIO),
            "compressed": has(flags::COMP),
            "direct": has(flags::DIRECT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_without_a_file_is_not_in_use() {
        let line = Line::new(3, &User::default(), PathBuf::new());
        assert_eq!(line.for_people(), "vnd3: not in use");
        assert_eq!(
            line.for_programs().to_string(),
            r#"{"configured":false,"unit":"vnd3"}"#
        );
    }

    #[test]
    fn a_unit_that_cannot_be_asked_keeps_no_other_off_the_list() {
        let used = User {
            flags: flags::CONFIGURED,
            ..User::default()
        };
        let ask = |number| match number {
            1 => Err(io::Error::from_raw_os_error(libc::EIO)),
            0 | 2 => Ok(Some((used, "file".into()))),
            _ => Ok(None),
        };
        let (lines, failures) = all(ask, 0).unwrap();
        let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [0, 2]);
        let said: Vec<_> = failures.iter().map(Error::to_string).collect();
        assert_eq!(said, ["/dev/vnd1: VNDIOCGET: Input/output error"]);
    }

    #[test]
    fn a_unit_with_a_file_is_described_for_people_and_for_programs() {
        let user = User {
            flags: flags::CONFIGURED | flags::READONLY | flags::COMP,
            dev: libc::makedev(4095, 3),
            ino: 1 << 40,
            size: 5 << 40,
            ..User::default()
        };
        let line = Line::new(12, &user, "/srv/a \"b\".izo".into());
        assert_eq!(line.for_people(), "vnd12: dev 4095,3 inode 1099511627776");
        let value = line.for_programs();
        assert_eq!(value["file"], r#"/srv/a "b".izo"#);
        assert_eq!(value["bytes"], 5_u64 << 40);
        assert_eq!(value["compressed"], true);
        assert_eq!(value["direct"], false);
    }
}
