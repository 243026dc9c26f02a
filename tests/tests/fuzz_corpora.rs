//! Every claim of `fuzz/` holds for every input that fuzzing kept, so that what was found once stays found.

use std::collections::BTreeSet;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a crate of its own for the fuzzer")]
mod fuzz;

#[test]
fn every_claim_holds_for_its_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, holds) in fuzz::CLAIMS {
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpora.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let held = std::panic::catch_unwind(|| holds(&bytes));
            assert!(held.is_ok(), "{} does not hold for {}", name, path.display());
            inputs += 1;
        }
        assert!(inputs >= 5, "{name} has {inputs} inputs: its corpus is not there");
    }
}

#[test]
fn every_claim_has_a_target_and_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let claims: BTreeSet<String> = fuzz::CLAIMS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = |folder: &str, ending: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(fuzz.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.trim_end_matches(ending).to_owned()).collect()
    };
    assert_eq!(names("fuzz_targets", ".rs"), claims);
    assert_eq!(names("corpus", ""), claims);
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in &claims {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
    }
}
