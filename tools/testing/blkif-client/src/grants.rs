// SPDX-License-Identifier: GPL-2.0

//! Which of domain 0's grants are mapped, as the hypervisor's debug key `g` prints it.

use anyhow::Result;

use crate::backing::run;

/// The start of what the key prints; older output stays in the log before it.
const HEADING: &str = "gnttab_usage_print_all [";

/// Returns the lines of the hypervisor's report that tell of a mapped grant of domain 0.
pub fn mapped() -> Result<Vec<String>> {
    run("xl", &["debug-keys", "g"])?;
    Ok(parse(&run("xl", &["dmesg"])?))
}

/// Returns the references of domain 0's grants that are mapped.
pub fn mapped_references() -> Result<Vec<u32>> {
    Ok(mapped()?
        .iter()
        .filter_map(|line| reference(line))
        .collect())
}

/// The reference that a line of the report begins with.
fn reference(line: &str) -> Option<u32> {
    let (number, _) = line.strip_prefix("[0x")?.split_once(']')?;
    u32::from_str_radix(number, 16).ok()
}

fn parse(log: &str) -> Vec<String> {
    let report = log.rfind(HEADING).map_or("", |start| &log[start..]);
    let mut ours = false;
    let mut lines = Vec::new();
    for line in report.lines() {
        if let Some((_, rest)) = line.split_once("remote d") {
            ours = rest.starts_with("0 ");
        } else if ours && line.contains("[0x") {
            lines.push(line.trim_start_matches("(XEN)").trim().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_report_and_domain_0_count() {
        let log = "(XEN) gnttab_usage_print_all [ key 'g' pressed\n\
                   (XEN) grant-table for remote d0 (v1)\n\
                   (XEN) [0x001]      0 0x1 0x00000001          0 0x1 0x19\n\
                   (XEN) gnttab_usage_print_all ] done\n\
                   (XEN) gnttab_usage_print_all [ key 'g' pressed\n\
                   (XEN) no active grant table entries for remote d0\n\
                   (XEN) grant-table for remote d1 (v1)\n\
                   (XEN) [0x002]      0 0x1 0x00000001          0 0x1 0x19\n";
        assert!(parse(log).is_empty());
        let first = parse(&log[..log.len() / 2]);
        assert_eq!(first.len(), 1);
        assert_eq!(reference(&first[0]), Some(1));
    }
}
