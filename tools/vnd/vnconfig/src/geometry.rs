// SPDX-License-Identifier: GPL-2.0

//! A geometry on the command line: `secsize/nsectors/ntracks/ncylinders`.

use anyhow::{
    Context,
    Result, //
};
use vnd_proto::ioctl::Geom;

/// Reads one. Whether a disk can be like that, the kernel knows.
pub fn parse(text: &str) -> Result<Geom> {
    numbers(text).with_context(|| format!("invalid geometry: {text}"))
}

fn numbers(text: &str) -> Option<Geom> {
    let mut numbers = text.split('/').map(str::parse);
    let geom = Geom {
        secsize: numbers.next()?.ok()?,
        nsectors: numbers.next()?.ok()?,
        ntracks: numbers.next()?.ok()?,
        ncylinders: numbers.next()?.ok()?,
    };
    numbers.next().is_none().then_some(geom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_a_geometry() {
        let geom = parse("512/32/64/8").unwrap();
        assert_eq!(geom.to_string(), "512/32/64/8");
        assert_eq!(parse("4096/1/1/0").unwrap().ncylinders, 0);
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "512",
            "512/32/64",
            "512/32/64/8/1",
            "512/32/64/",
            "512/-1/64/8",
            "512/x/64/8",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("invalid geometry: {text}"));
        }
    }
}
