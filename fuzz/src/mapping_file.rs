//! `.keyward-deployment`: names and ids, or nothing.

use keyward_cli::vault::mapping_file::parse;

/// What is read is what any other reader of JSON sees.
pub fn holds(bytes: &[u8]) {
    let Ok(mappings) = parse(bytes) else { return };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let json: serde_json::Value = serde_json::from_slice(bytes).expect("it was read as JSON");
    let object = json["environment_mappings"].as_object().expect("it has this field");
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(1));
    assert_eq!(object.len(), mappings.len());
    for (name, id) in &mappings {
        assert_eq!(object[name].as_str(), Some(id.to_string().as_str()));
    }
}
