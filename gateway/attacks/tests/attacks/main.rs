//! Every attack, each as a test of its own.

/// A test for each name, in a module for each file.
macro_rules! tests {
    ($($part:ident { $($name:ident,)* })*) => {
        $(mod $part {
            $(#[test]
            fn $name() {
                super::holds(stringify!($part), stringify!($name));
            })*
        })*
    };
}

keyward_attacks::each_attack!(tests);

fn holds(part: &str, name: &str) {
    let case = keyward_attacks::all().find(|case| case.path() == (part, name)).expect("it is in the table");
    if let Err(what) = case.run() {
        panic!("{what}");
    }
}
