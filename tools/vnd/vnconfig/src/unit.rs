// SPDX-License-Identifier: GPL-2.0

//! What a unit is called.

use std::path::{
    Path,
    PathBuf, //
};

use vnd_proto::ioctl::UNIT_MAX;

/// A unit, or whatever else was named instead of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The unit with this number.
    Number(u32),
    /// The node with this path.
    Node(PathBuf),
}

impl Unit {
    /// Understands a name: `vnd0`, `/dev/vnd0`, or one of NetBSD's for all of the disk: `vnd0d`, `/dev/rvnd0d`. Other
    /// names are paths; without a directory they are in `/dev`.
    pub fn parse(word: &Path) -> Self {
        let in_dev = word.strip_prefix("/dev").unwrap_or(word);
        if let Some(number) = in_dev.to_str().and_then(number_of) {
            return Self::Number(number);
        }
        match in_dev.components().count() {
            1 => Self::Node(Path::new("/dev").join(in_dev)),
            _ => Self::Node(word.into()),
        }
    }

    /// The path of its node.
    pub fn node(&self) -> PathBuf {
        match self {
            Self::Number(number) => format!("/dev/vnd{number}").into(),
            Self::Node(path) => path.clone(),
        }
    }
}

/// The number in a unit's name.
fn number_of(name: &str) -> Option<u32> {
    let name = name.strip_prefix('r').unwrap_or(name);
    let rest = name.strip_prefix("vnd")?;
    let digits = rest.strip_suffix('d').unwrap_or(rest);
    // No sign, and no zero before other digits.
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits && number <= UNIT_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_many_names() {
        for name in ["vnd7", "/dev/vnd7", "vnd7d", "rvnd7d", "/dev/rvnd7d"] {
            let unit = Unit::parse(Path::new(name));
            assert_eq!(unit, Unit::Number(7), "{name}");
            assert_eq!(unit.node(), Path::new("/dev/vnd7"));
        }
        assert_eq!(Unit::parse(Path::new("vnd65535")), Unit::Number(65535));
    }

    #[test]
    fn whatever_else_is_named_is_a_path() {
        let table = [
            ("vnd", "/dev/vnd"),
            ("vnd01", "/dev/vnd01"),
            ("vnd+1", "/dev/vnd+1"),
            ("vnd65536", "/dev/vnd65536"),
            ("vnd0p1", "/dev/vnd0p1"),
            ("sda", "/dev/sda"),
            ("./vnd0", "./vnd0"),
            ("/tmp/vnd0", "/tmp/vnd0"),
        ];
        for (name, node) in table {
            assert_eq!(Unit::parse(Path::new(name)).node(), Path::new(node));
        }
    }
}
