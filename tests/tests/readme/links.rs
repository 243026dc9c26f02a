//! Relative links lead to files, and to headings in them.

use std::path::Path;

use crate::markdown::{documents, lines, read, root};

#[test]
fn every_relative_link_leads_somewhere() {
    let (mut broken, mut count) = (Vec::new(), 0);
    for document in documents() {
        let text = read(&document);
        for line in lines(&text).iter().filter(|line| line.fence.is_none()) {
            for target in targets(line.text) {
                count += 1;
                if !leads_somewhere(&document, target) {
                    broken.push(format!("{document}:{}: {target}", line.number));
                }
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn a_broken_link_would_be_found() {
    let row = "[a](docs/ACCESS.md) [b](https://x.example/y) [c](docs/access.md) [d](docs/ACCESS.md#roles) \
               [e](docs/ACCESS.md#rolls) [f](ACCESS.md) [g](#more)";
    let found = targets(row).map(|target| leads_somewhere("README.md", target));
    assert_eq!(found.collect::<Vec<_>>(), [true, false, true, false, false, true]);
    assert!(leads_somewhere("docs/THREATS.md", "../SECURITY.md"));
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    let all = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    all.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

fn leads_somewhere(from: &str, target: &str) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let here = Path::new(from);
    let path = if file.is_empty() { here.to_owned() } else { here.with_file_name(file) };
    let there = root().join(&path);
    // On a file system that ignores case a link may work that works nowhere else.
    let named = there.canonicalize().is_ok_and(|real| real.file_name() == there.file_name());
    named && (heading.is_empty() || headings(&path).iter().any(|slug| slug == heading))
}

/// The anchors of a document, as forges make them.
fn headings(document: &Path) -> Vec<String> {
    let text = read(document.to_str().unwrap());
    let headings = lines(&text).into_iter().filter(|line| line.fence.is_none());
    let title =
        |text: &str| text.starts_with('#').then(|| text.trim_start_matches('#').trim().to_lowercase());
    let slug = |title: String| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.filter_map(|line| title(line.text)).map(slug).collect()
}
