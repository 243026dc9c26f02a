use keyward_cli::export::Format;
use keyward_tests::machine::variables;

use crate::batch::{Batch, Found, machine, written};

const WAYS: [&str; 2] = ["cat file | source", "eval (cat file)"];

#[test]
fn every_value_survives_source_and_eval_in_every_locale() {
    // What ends in PATH is a list to fish.
    let batch = Batch::with_the_ordinary(Format::Fish).under(&["A_PATH", "MANPATH"]);
    let machine = machine(&batch.file());
    for locale in ["C", "C.UTF-8"] {
        for way in WAYS {
            let ended = machine.shell(
                &["env", &format!("LC_ALL={locale}"), "fish", "--no-config"],
                &format!("{way}; exec env -0"),
            );
            assert_eq!(ended.code, 0, "{way}: {}", ended.stderr);
            batch.check(&format!("fish, {way}, {locale}"), &ours(&ended.stdout));
        }
    }
}

#[test]
fn a_list_of_paths_is_what_it_was() {
    for value in ["a:b", ":", "", "a::b", ":a:", "a b:c"] {
        let machine = machine(&written(Format::Fish, "V_PATH", value.as_bytes()).unwrap());
        let ended = machine.shell(&["fish", "--no-config"], "cat file | source; exec env -0");
        assert_eq!(ours(&ended.stdout)["V_PATH"], value.as_bytes(), "{value}");
    }
}

#[test]
fn an_output_cut_anywhere_fails_and_sets_nothing() {
    let file = written(Format::Fish, "V", "it's\n\u{1}\\".as_bytes()).unwrap();
    let whole = str::from_utf8(&file).unwrap();
    let script = "
        for way in 'cat cut | source' 'eval (cat cut)'
            for end in (seq LENGTH)
                head -c $end file >cut; echo ';false' >>cut
                set -e V
                if eval $way 2>/dev/null
                    echo $way: went on after $end
                end
                if set -q V; and test $end -lt LENGTH
                    echo $way: set after $end
                end
            end
        end
        exit 0";
    // The line end after the last `end` may be missing.
    let script = script.replace("LENGTH", &(whole.len() - 2).to_string());
    let ended = machine(&file).shell(&["fish", "--no-config"], &script);
    assert_eq!((ended.code, String::from_utf8_lossy(&ended.stdout).as_ref()), (0, ""), "{}", ended.stderr);
}

/// Every variable that fish has of its own, or that its documentation names, is refused or can be set.
#[test]
fn a_variable_that_fish_keeps_to_itself_is_refused() {
    let listing = machine(b"").shell(&["fish", "--no-config"], "set --names; exit 0");
    let documented = "FISH_VERSION PWD SHLVL _ argv fish_kill_signal fish_killring fish_pid history hostname pipestatus \
                      status status_generation umask version fish_terminal_color_theme";
    let listing = format!("{documented}\n{}", String::from_utf8(listing.stdout).unwrap());
    let mut refused = 0;
    for name in listing.split_whitespace() {
        let Ok(file) = written(Format::Fish, name, b"0022 x") else {
            refused += 1;
            continue;
        };
        let machine = machine(&file);
        let ended = machine.shell(&["fish", "--no-config"], "cat file | source; or exit 9; /usr/bin/env -0");
        let found = variables(&ended.stdout);
        assert_eq!(found.get(name).map(Vec::as_slice), Some(&b"0022 x"[..]), "{name}: {}", ended.said());
    }
    assert!(refused >= 16, "{refused}");
}

fn ours(listing: &[u8]) -> Found {
    let mut found = variables(listing);
    found.retain(|name, _| {
        name.starts_with('V') || name.starts_with("ORD") || name.ends_with("PATH") && name != "PATH"
    });
    found
}
