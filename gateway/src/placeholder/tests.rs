use std::collections::HashSet;

use super::*;

fn key(number: u8) -> KeyId {
    KeyId::from_bytes([number; 16])
}

#[test]
fn a_placeholder_looks_like_a_key_of_its_provider() {
    let mine = Placeholders::new();
    for (number, (provider, prefix, length)) in [
        (Some("anthropic"), "sk-ant-api03-kwph", 108),
        (Some("github"), "ghp_kwph", 40),
        (Some("nobody"), "kwph", 40),
        (None, "kwph", 40),
    ]
    .into_iter()
    .enumerate()
    {
        let text = mine.of(key(u8::try_from(number).unwrap()), provider);
        assert!(text.starts_with(prefix) && text.len() == length, "{text}");
    }
}

#[test]
fn it_is_as_long_as_the_value_where_that_leaves_enough_randomness() {
    let mine = Placeholders::new();
    for (number, length, made) in
        [(1, 93, 93), (2, 40, 40), (3, 27, 27), (4, 26, 26), (5, 20, 26), (6, 0, 26)]
    {
        let text = mine.of_length(key(number), Some("github"), length);
        assert_eq!(text.len(), made, "{text}");
    }
    // What an agent has keeps working.
    assert_eq!(mine.of_length(key(1), Some("github"), 50), mine.of(key(1), None));
}

#[test]
fn h6_it_is_128_bits_of_fair_randomness() {
    let mine = Placeholders::new();
    let many: Vec<_> = (0..=255).map(|number| mine.of_length(key(number), None, 26)).collect();
    assert_eq!(many.iter().collect::<HashSet<_>>().len(), 256);
    let drawn: Vec<u8> = many.iter().flat_map(|text| text.bytes().skip(4)).collect();
    assert_eq!(drawn.len(), 256 * 22);
    for letter in LETTERS {
        // 91 are expected; a hundred thousand years of runs would not see these bounds broken.
        let count = drawn.split(|byte| byte == letter).count() - 1;
        assert!((20..200).contains(&count), "{}: {count}", char::from(*letter));
    }
}

#[test]
fn h3_only_the_whole_unchanged_placeholder_is_its_keys() {
    let mine = Placeholders::new();
    let text = mine.of(key(1), Some("github"));
    let marks = |text: &str| mine.marks(text.as_bytes());
    assert_eq!(marks(&text), [Mark::Key(key(1))]);
    assert_eq!(marks(&format!("Bearer {text} ")), [Mark::Key(key(1))]);
    assert_eq!(marks(&format!("{text} {text}")), [Mark::Key(key(1)); 2]);
    for changed in [
        text.to_uppercase(),
        text.to_lowercase(),
        format!("{text}x"),
        text.replace("ghp_", "ghs_"),
        text.replace("ghp_", ""),
        format!("{}0", text.strip_suffix(|_: char| true).unwrap()),
    ] {
        if *changed != *text {
            assert_eq!(marks(&changed), [Mark::Unknown], "{changed}");
        }
    }
    for other in [
        "",
        "kwph",
        "the kwph sign",
        "kwph0123456789",
        "keyward-managed",
        "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    ] {
        assert_eq!(marks(other), [], "{other}");
    }
}

#[test]
fn h4_another_sessions_placeholder_is_nobodys_like_any_other() {
    let (mine, other) = (Placeholders::new(), Placeholders::new());
    let dead = Placeholders::new().of(key(1), Some("github"));
    mine.of(key(1), Some("github"));
    let foreign = other.of(key(1), Some("github"));
    for text in [&*dead, &*foreign, "ghp_kwph0123456789abcdefghijABCDEF012345"] {
        assert_eq!(mine.marks(text.as_bytes()), [Mark::Unknown]);
    }
}

#[test]
fn h5_a_million_signs_are_read_in_one_pass() {
    let mine = Placeholders::new();
    let text = mine.of(key(1), None);
    assert_eq!(mine.marks("kwph".repeat(1_000_000).as_bytes()), [Mark::Unknown]);
    assert_eq!(mine.marks(format!("{text}|").repeat(10_000).as_bytes()).len(), 10_000);
}
