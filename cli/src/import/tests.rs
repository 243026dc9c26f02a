mod properties;

use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// A sample of `tests/samples/import`: the form of the tool's own output, with invented values.
macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/samples/import/", $name))
    };
}

/// What was read, a line a record: name, value, and what is said besides.
fn told(tool: Tool, bytes: &[u8]) -> String {
    let content = match read(tool, bytes) {
        Ok(content) => content,
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(|problem| format!("! {problem}\n")).collect();
            return lines.concat();
        }
    };
    let mut text = String::new();
    for record in &content.records {
        let Record { name, value, fields: _, inject: _, note, alias, provider, tags, set, at } = record;
        write!(text, "{}: {name} = {:?}", at.line(), String::from_utf8_lossy(value)).unwrap();
        let note = note.as_ref().map(|note| note.to_string());
        for (word, said) in [("alias", alias), ("provider", provider), ("set", set), ("note", &note)] {
            if let Some(said) = said {
                write!(text, ", {word} {said:?}").unwrap();
            }
        }
        for tag in tags {
            write!(text, " #{tag}").unwrap();
        }
        text.push('\n');
    }
    for field in &content.not_kept {
        writeln!(text, "not kept: {field}").unwrap();
    }
    for warning in &content.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    text
}

#[track_caller]
fn says(tool: Tool, bytes: &[u8], lines: &[&str]) {
    let told = told(tool, bytes);
    assert_eq!(told.lines().collect::<Vec<_>>(), lines, "{told}");
}

#[test]
fn bws_keeps_notes_and_the_project() {
    says(
        Tool::Bws,
        sample!("bws.json"),
        &[
            "2: STRIPE_KEY = \"stripe \\\"quoted\\\" \\\\ value\", note \"Rotated every spring.\\nAsk billing.\" \
             #project:e325ea69-a3ab-4dff-836f-b02e013fe530",
            "13: Certificate of the mail relay = \"-----BEGIN CERTIFICATE-----\\nbm90IGEgcmVhbCBvbmU=\\n-----END \
             CERTIFICATE-----\\n\"",
            "not kept: creationDate",
            "not kept: id",
            "not kept: object",
            "not kept: organizationId",
            "not kept: revisionDate",
        ],
    );
    // `bws secret get` prints one of them alone.
    says(Tool::Bws, br#"{"key":"A","value":"1"}"#, &["1: A = \"1\""]);
}

#[test]
fn bws_as_dotenv_is_refused_where_it_left_secrets_out() {
    let why =
        "bws left secrets out as comments: export with `bws secret list --output json`, import --from bws";
    says(Tool::Dotenv, sample!("bws-commented.env"), &[&format!("! line 5: {why}")]);
    says(Tool::Bws, b"STRIPE_KEY=\"x\"\n", &["! line 1: this is no JSON: it begins with neither { nor ["]);
}

#[test]
fn doppler_turns_the_place_of_the_secrets_into_tags() {
    says(
        Tool::Doppler,
        sample!("doppler-download.json"),
        &[
            "2: DATABASE_URL = \"postgres://shop:invented@db.example:5432/shop\" #config:prd #environment:prd \
             #project:shop",
            "6: TLS_KEY = \"first line\\nsecond line\\n\" #config:prd #environment:prd #project:shop",
        ],
    );
    says(
        Tool::Doppler,
        sample!("doppler-secrets.json"),
        &[
            "2: DATABASE_URL = \"postgres://shop:invented@db.example:5432/shop\", note \"the primary, not the \
             replica\" #config:prd #environment:prd #project:shop",
            "not kept: computedValueType",
            "not kept: computedVisibility",
            "not kept: raw",
            "not kept: rawValueType",
            "not kept: rawVisibility",
        ],
    );
    says(
        Tool::Doppler,
        sample!("doppler-restricted.json"),
        &["! record 2 (line 3): Doppler gave no value: it is restricted, or empty"],
    );
    says(
        Tool::Doppler,
        br#"{"A": 1, "B": ["x"]}"#,
        &["! record 1 (line 1): not an object", "! record 2 (line 1): not an object"],
    );
}

#[test]
fn infisical_keeps_comments_tags_and_paths() {
    says(
        Tool::Infisical,
        sample!("infisical.json"),
        &[
            "1: API_TOKEN = \"token\\nin two lines\", note \"for the worker\" #payments #path:/backend",
            "1: AWS_ACCESS_KEY_ID = \"invented-id\"",
            "1: AWS_SECRET_ACCESS_KEY = \"invented-secret\"",
            "not kept: Etag",
            "not kept: _id",
            "not kept: skipMultilineEncoding",
            "not kept: type",
            "not kept: workspace",
        ],
    );
    // There a line end is written as \n, and so is a backslash before an n.
    says(
        Tool::Infisical,
        sample!("infisical.env"),
        &["! line 1: this is no JSON: it begins with neither { nor ["],
    );
}

#[test]
fn one_password_fields_become_keys_named_after_item_and_label() {
    let words = ", note \"Ask billing before rotating.\" #payments #keyward #vault:Shop";
    let lines = [
        &format!(
            "22: STRIPE_LIVE_USERNAME = \"billing@shop.example\", alias \"Stripe (live) / username\"{words}"
        ),
        &format!(
            "29: STRIPE_LIVE_CREDENTIAL = \"invented-credential\", alias \"Stripe (live) / credential\"{words}"
        ),
        &format!("39: STRIPE_WEBHOOK_SECRET = \"invented-webhook\"{words}"),
        "not kept: additional_information",
        "not kept: category",
        "not kept: created_at",
        "not kept: fields of type DATE",
        "not kept: fields of type MENU",
        "not kept: fields of type OTP",
        "not kept: fields without a value",
        "not kept: id",
        "not kept: last_edited_by",
        "not kept: sections",
        "not kept: updated_at",
        "not kept: urls",
        "not kept: version",
    ];
    says(Tool::OnePassword, sample!("1password-item.json"), &lines.map(|line| line as &str));
}

#[test]
fn an_item_without_a_note_has_lost_none() {
    let fields = r#"{"type": "STRING", "purpose": "NOTES", "label": "notesPlain"},
                    {"type": "STRING", "label": "A", "value": "x"}"#;
    let item = format!("{{\"title\": \"T\", \"fields\": [{fields}]}}");
    says(Tool::OnePassword, item.as_bytes(), &["2: A = \"x\""]);
}

#[test]
fn comments_of_a_env_file_are_counted_as_not_kept() {
    let text =
        b"# STRIPE_OLD=hunter2\n#\n# ---- #\n\n#B=2\nA='x' # why\nC=x # \xc3\xa9\nD=x#y\nE='#z'\nF=x #\n";
    let told = told(Tool::Dotenv, text);
    assert!(told.contains("not kept: comments on 4 lines\n") && !told.contains("hunter2"), "{told}");
    says(Tool::Dotenv, b"A=1 # one\n", &["1: A = \"1\"", "not kept: comments on 1 line"]);
    says(Tool::Dotenv, b"#\n # --\nA=1\n", &["3: A = \"1\""]);
}

#[test]
fn one_password_items_come_one_after_another_or_in_a_list() {
    let lines = [
        "7: DATABASE_PASSWORD = \"invented-one\", alias \"Database / password\" #vault:Shop",
        "16: _2ND_MAIL_RELAY_PASSWORD = \"invented-two\", alias \"2nd mail relay / password\" #vault:Shop",
        "not kept: category",
        "not kept: id",
    ];
    let items = sample!("1password-items.json");
    says(Tool::OnePassword, items, &lines);
    let list = [b"[", items.as_slice(), b"]"].concat();
    let at = list.windows(3).position(|piece| piece == b"}\n{").unwrap();
    let list = [&list[..=at], b",", &list[at + 1..]].concat();
    says(Tool::OnePassword, &list, &lines);
}

#[test]
fn one_password_references_and_lists_without_values_are_no_values() {
    let why = "a 1Password reference (op://…), not a value: resolve it first with `op inject -i FILE`";
    let lines = [format!("! line 2: {why}"), format!("! line 4: {why}")];
    says(Tool::Dotenv, sample!("1password-references.env"), &[&lines[0], &lines[1]]);
    says(Tool::Json, b"{\"A\": \"op://v/i/f\"}", &[&format!("! record 1 (line 1): {why}")]);
    says(Tool::Dotenv, b"A=op://v\n", &["1: A = \"op://v\""]);
    let record = format!("! record 1 (line 1): {why}");
    for (tool, bytes) in [
        (Tool::Bws, &br#"[{"key": "A", "value": "op://v/i/f"}]"#[..]),
        (Tool::Doppler, br#"{"A": "op://v/i/f"}"#),
        (Tool::Doppler, br#"{"A": {"computed": "op://v/i/f"}}"#),
        (Tool::Infisical, br#"[{"key": "A", "value": "op://v/i/f"}]"#),
        (Tool::Dotenvx, br#"{"A": "op://v/i/f"}"#),
        (
            Tool::OnePassword,
            br#"{"title": "T", "fields": [{"type": "STRING", "label": "A", "value": "op://v/i/f"}]}"#,
        ),
    ] {
        says(tool, bytes, &[&record]);
    }
    // What keyward wrote down was stored like this.
    says(
        Tool::Json,
        br#"{"format": "keyward-export", "v": 1, "keys": [{"name": "A", "value": "op://v/i/f"}]}"#,
        &["1: A = \"op://v/i/f\""],
    );
    let why = "an item without its fields: export it with `op item get`, not `op item list`";
    says(Tool::OnePassword, sample!("1password-list.json"), &[&format!("! record 1 (line 2): {why}")]);
    let why = "a ZIP archive, perhaps a 1PUX file; export single items as JSON";
    says(Tool::OnePassword, b"PK\x03\x04\x14\0", &[&format!("! line 1: {why}")]);
}

#[test]
fn dotenvx_is_read_from_what_it_gets_and_never_as_it_is_encrypted() {
    says(
        Tool::Dotenvx,
        sample!("dotenvx-get.json"),
        &[
            "1: HELLO = \"World\"",
            "1: MULTI = \"line one\\nline two\"",
            // What dotenvx itself makes of \" within double quotes.
            "1: QUOTES = \"say \\\\\\\"hi\\\\\\\"\"",
            "not kept: DOTENV_PUBLIC_KEY",
        ],
    );
    let why = "a value that dotenvx encrypted: read it first with `dotenvx get -f FILE --overload`";
    let lines = [2, 3, 4].map(|number| format!("! record {number} (line 1): {why}"));
    says(Tool::Dotenvx, sample!("dotenvx-get-without-key.json"), &lines.each_ref().map(|line| line as &str));
    let lines = [2, 3, 4].map(|number| format!("! line {number}: {why}"));
    says(Tool::Dotenv, sample!("dotenvx-encrypted.env"), &lines.each_ref().map(|line| line as &str));
    says(
        Tool::Dotenvx,
        sample!("dotenvx-encrypted.env"),
        &["! line 1: this is no JSON: it begins with neither { nor ["],
    );
    says(Tool::Dotenv, b"A=encrypted:Because we say so\n", &["1: A = \"encrypted:Because we say so\""]);
}

#[test]
fn json_is_one_object_of_texts() {
    says(
        Tool::Json,
        "\u{feff}{\r\n  \"A\": \"\\u00e9\\n\",\r\n  \"b c\": \"\"\r\n}\r\n".as_bytes(),
        &["2: A = \"é\\n\"", "3: b c = \"\""],
    );
    let why = "its value is no text: write numbers and the like in quotes";
    let lines = [1, 2, 3, 4, 5].map(|number| format!("! record {number} (line 1): {why}"));
    says(
        Tool::Json,
        br#"{"A": 1, "B": true, "C": null, "D": ["x"], "E": {"F": "x"}, "G": "fine"}"#,
        &lines.each_ref().map(|line| line as &str),
    );
    for (bytes, said) in [
        (&b"[\"A\"]"[..], "line 1: not an object"),
        (b"", "line 1: this is no JSON: it begins with neither { nor ["),
        (b"{\"A\": \"x\",\n}", "line 2: this is no JSON from here on"),
        (b"{\"A\": \"x\"", "line 1: this is no JSON from here on"),
        (b"{\"A\": \"x\"}\n{\"B\": \"x\"}", "line 2: a second JSON document begins here"),
        (b"{\"A\": \"x\",\n\"B\": \"\xff\"}", "line 2: not UTF-8: save the file as UTF-8"),
        (b"\xff\xfe{\0", "line 1: the file is UTF-16: save it as UTF-8"),
        (
            b"{\"A\": \"\\ud800\"}",
            "record 1 (line 1): its value is no text: write numbers and the like in quotes",
        ),
    ] {
        says(Tool::Json, bytes, &[&format!("! {said}")]);
    }
    let deep = "[".repeat(100_000);
    says(Tool::Json, deep.as_bytes(), &["! line 1: this is no JSON from here on"]);
}

#[test]
fn records_say_each_thing_once_and_as_text() {
    for (bytes, said) in [
        (r#"[{"key": "A", "value": "1", "value": "2"}]"#, "value stands twice in it"),
        (r#"[{"key": "A", "value": 1}]"#, "value is no text"),
        (r#"[{"key": "A"}]"#, "it has no value"),
        (r#"[{"value": "A"}]"#, "it has no key"),
        (r#"[{"key": null, "value": "A"}]"#, "it has no key"),
        (r#"["A"]"#, "not an object"),
    ] {
        for tool in [Tool::Bws, Tool::Infisical] {
            says(tool, bytes.as_bytes(), &[&format!("! record 1 (line 1): {said}")]);
        }
    }
}

#[test]
fn an_export_of_another_version_or_with_two_values_is_refused() {
    let of =
        |v: &str, key: &str| format!("{{\"format\": \"keyward-export\", \"v\": {v},\n\"keys\": [{key}]}}");
    let read = |v: &str, key: &str| told(Tool::Json, of(v, key).as_bytes());
    assert_eq!(read("1", ""), "");
    for v in ["2", "\"1\"", "1.0"] {
        assert!(read(v, "").contains("an export of another version"), "{v}");
    }
    for key in [r#"{"name": "A"}"#, r#"{"name": "A", "value": "x", "value_b64": "eA=="}"#] {
        assert_eq!(read("1", key), "! record 1 (line 2): it must have either value or value_b64\n");
    }
    assert_eq!(
        read("1", r#"{"name": "A", "value_b64": "eA"}"#),
        "! record 1 (line 2): value_b64 is no base64\n"
    );
    assert_eq!(read("1", r#"{"name": "A", "value_b64": "eA=="}"#), "2: A = \"x\"\n");
}

#[test]
fn a_tool_is_recognised_by_clear_signs_only() {
    for (name, bytes, tool) in [
        (".env", &b"A=1\n"[..], Tool::Dotenv),
        ("-", b"", Tool::Dotenv),
        ("secrets.yaml", b"A: 1\n", Tool::Dotenv),
        (".env.production", sample!("dotenvx-encrypted.env"), Tool::Dotenv),
        ("a.json", b"not JSON", Tool::Json),
        ("a.JSON", b"", Tool::Json),
        ("-", b" \r\n{\"A\": \"1\"}", Tool::Json),
        ("-", b"\xef\xbb\xbf{\"A\": \"1\"}", Tool::Json),
        ("-", b"[1]", Tool::Json),
        ("-", b"{\"format\": \"keyward-export\", \"v\": 1, \"keys\": []}", Tool::Json),
        ("-", b"{\"DOTENV_PUBLIC_KEY\": {}}", Tool::Json),
        ("x.txt", sample!("bws.json"), Tool::Bws),
        ("x", sample!("doppler-download.json"), Tool::Doppler),
        ("x.json", sample!("doppler-secrets.json"), Tool::Doppler),
        ("x", sample!("doppler-restricted.json"), Tool::Doppler),
        ("x", sample!("infisical.json"), Tool::Infisical),
        ("x", sample!("1password-item.json"), Tool::OnePassword),
        ("x", sample!("1password-items.json"), Tool::OnePassword),
        ("x", sample!("dotenvx-get.json"), Tool::Dotenvx),
    ] {
        assert_eq!(Tool::detect(Path::new(name), bytes), tool, "{name}: {}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn no_problem_repeats_what_the_file_says() {
    let files: [&[u8]; 8] = [
        br#"{"hunter2": 2, "hunter2": {"hunter2": "hunter2"}}"#,
        br#"[{"key": "hunter2", "value": {"hunter2": 1}}, "hunter2"]"#,
        br#"{"title": "hunter2", "fields": ["hunter2"]}"#,
        br#"{"hunter2": "hunter2"#,
        br#"{"hunter2": hunter2}"#,
        br#"{"format": "keyward-export", "v": 1, "keys": [{"name": "hunter2", "value_b64": "hunter2!"}]}"#,
        br#"{"A": "op://hunter2/hunter2/hunter2"}"#,
        b"hunter2\nA=op://hunter2/hunter2/x\n",
    ];
    for file in files {
        for tool in TOOLS {
            for problem in read(tool, file).err().into_iter().flatten() {
                assert!(!format!("{problem} {problem:?}").contains("hunter2"), "{problem}");
            }
        }
    }
}

#[test]
fn a_large_file_is_read_in_linear_time() {
    let records: Vec<String> =
        (0..100_000).map(|n| format!("{{\"key\": \"K{n}\",\n\"value\": \"v\"}}")).collect();
    let text = format!("[{}]", records.join(",\n"));
    assert_eq!(read(Tool::Bws, text.as_bytes()).ok().unwrap().records.len(), 100_000);
}

const TOOLS: [Tool; 7] =
    [Tool::Dotenv, Tool::Json, Tool::Bws, Tool::Doppler, Tool::Infisical, Tool::OnePassword, Tool::Dotenvx];
