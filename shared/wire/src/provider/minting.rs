//! Paths that make or show credentials. Whoever may use them can get something that outlives the rule, so a rule for the
//! whole host is not taken to mean them: the gateway refuses such a path unless the rule names it.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{HostShape, Provider, all};
use crate::rule::{Authority, Host, HostPattern, LenientPath, PathPattern, RequestPath, Rule};

/// A path of a provider that makes or shows credentials, as far as a rule covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minting {
    /// The path as the table has it.
    pub path: PathPattern,
    /// Whether the rule names it, or a part of it, so that requests there may go out.
    pub named: bool,
    /// The paths at which requests are refused although the rule allows them: the path as the table has it, or below its
    /// provider's prefix, or both. Empty if the rule itself names all of the path that it covers.
    pub refused: Vec<PathPattern>,
    /// The name of the provider.
    pub provider: &'static str,
}

impl Minting {
    /// What is made or shown there, in the provider's word: `keys` of `/user/keys/*`.
    pub fn kind(&self) -> &str {
        self.path
            .as_str()
            .split('/')
            .rfind(|part| !part.is_empty() && !part.contains('*'))
            .unwrap_or_default()
    }
}

/// Whether a request there may make or show a credential, and the rule does not name its path. `provider` is whose the key
/// is, as its owner says: it stands in for the host where each customer has one of their own.
pub fn is_unnamed(rule: &Rule, provider: Option<&str>, to: &Authority, path: RequestPath<'_>) -> bool {
    let mut mints = TABLE.at(to, provider).flat_map(|row| &row.paths).peekable();
    if mints.peek().is_none() {
        return false;
    }
    let read = path.lenient();
    let mut mints = mints.filter(|mint| mint.covers(&read)).peekable();
    if mints.peek().is_none() {
        return false;
    }
    let own = rule.terms().paths.iter().flatten().filter(|own| own.matches(path));
    let own: Vec<LenientPath> = own.map(PathPattern::lenient).collect();
    !mints.all(|mint| own.iter().any(|own| mint.covers(own)))
}

/// The paths that a rule covers, in the order of the table.
pub fn of_rule(rule: &Rule, provider: Option<&str>) -> Vec<Minting> {
    let own: Option<Vec<(&PathPattern, LenientPath)>> =
        rule.terms().paths.as_ref().map(|paths| paths.iter().map(|path| (path, path.lenient())).collect());
    let mut found: Vec<Minting> = Vec::new();
    for row in rows_of(rule, provider) {
        let prefixed = row.is_prefixed(rule);
        for (path, mint) in row.provider.minting().into_iter().zip(&row.paths) {
            if !own.as_ref().is_none_or(|own| own.iter().any(|(_, own)| mint.meets(own))) {
                continue;
            }
            let named = own.iter().flatten().any(|(_, own)| mint.covers(own));
            let forms = std::iter::once(&mint.plain).chain(mint.below.as_ref().filter(|_| prefixed));
            let refused = forms.filter(|one| own.as_ref().is_none_or(|own| mint.refuses(one, own)));
            let refused = refused.map(|one| one.path.clone());
            if let Some(known) = found.iter_mut().find(|known| known.path == path) {
                known.named |= named;
                let more: Vec<_> = refused.filter(|path| !known.refused.contains(path)).collect();
                known.refused.extend(more);
                continue;
            }
            let refused: Vec<_> = refused.collect();
            if named || !refused.is_empty() {
                found.push(Minting { path, named, refused, provider: row.provider.name });
            }
        }
    }
    found
}

/// The rows that are about a host of the rule, or of its key's provider.
fn rows_of(rule: &Rule, provider: Option<&str>) -> impl Iterator<Item = &'static Row> {
    let reaches = |pattern: &HostPattern, shape: HostShape| match pattern.exact() {
        Some(host) => shape.fits(&host),
        None => shape.pattern().is_some_and(|one| one.overlaps(pattern)),
    };
    TABLE.rows.iter().filter(move |row| {
        let is_named = provider.is_some_and(|name| row.provider.name.eq_ignore_ascii_case(name));
        is_named
            || row
                .provider
                .host_shapes()
                .any(|shape| rule.terms().hosts.iter().any(|host| reaches(host, shape)))
    })
}

/// The rows of the table that have such paths, to be asked at every request.
struct Table {
    rows: Vec<Row>,
    /// The providers by host, without its port: those whose hosts are the same for everybody.
    by_host: HashMap<&'static str, Vec<usize>>,
    /// Hosts that each customer has of their own, and how they end.
    own: Vec<(&'static str, HostShape, usize)>,
}

struct Row {
    provider: Provider,
    /// The provider's paths, in the table's order.
    paths: Vec<Paths>,
}

impl Row {
    /// Whether the rule has a host where something may stand below the prefix: one that is not the provider's for everybody.
    fn is_prefixed(&self, rule: &Rule) -> bool {
        let is_everybodys = |host: &HostPattern| {
            let fits = |shape: HostShape| host.exact().is_some_and(|host| shape.fits(&host));
            self.provider.host_shapes().any(|shape| shape.fixed_host().is_some() && fits(shape))
        };
        !rule.terms().hosts.iter().all(is_everybodys)
    }
}

/// A path that makes or shows credentials: as the table has it, and below the prefix of its provider, if that has one.
struct Paths {
    plain: Form,
    below: Option<Form>,
}

struct Form {
    path: PathPattern,
    read: LenientPath,
}

impl Form {
    fn of(path: PathPattern) -> Self {
        Self { read: path.lenient(), path }
    }

    /// Whether a rule's pattern lets all of it pass, in this spelling.
    fn is_within(&self, own: &PathPattern) -> bool {
        let (all_below, itself) = match self.path.as_str().strip_suffix("/*") {
            Some(itself) => (true, itself),
            None => (false, self.path.as_str()),
        };
        (!all_below || own.as_str().ends_with("/*"))
            && RequestPath::new(itself.as_bytes()).is_ok_and(|path| own.matches(path))
    }
}

impl Paths {
    fn of(path: &PathPattern, prefix: Option<&str>) -> Self {
        let below = prefix.and_then(|prefix| format!("{prefix}{path}").parse::<PathPattern>().ok());
        Self { plain: Form::of(path.clone()), below: below.map(Form::of) }
    }

    fn each(&self) -> impl Iterator<Item = &Form> {
        std::iter::once(&self.plain).chain(&self.below)
    }

    fn covers(&self, path: &LenientPath) -> bool {
        self.each().any(|one| one.read.covers(path))
    }

    fn meets(&self, path: &LenientPath) -> bool {
        self.each().any(|one| one.read.meets(path))
    }

    /// Whether requests at `form`, one of these, are refused that a rule's patterns allow: what allows them does not name
    /// these, and what names these is not all of it.
    fn refuses(&self, form: &Form, own: &[(&PathPattern, LenientPath)]) -> bool {
        own.iter().any(|(_, own)| form.read.meets(own) && !self.covers(own))
            && !own.iter().any(|(path, own)| self.covers(own) && form.is_within(path))
    }
}

impl Table {
    fn read() -> Self {
        let mut table = Self { rows: Vec::new(), by_host: HashMap::new(), own: Vec::new() };
        for provider in all() {
            let prefix = provider.minting_prefix();
            let paths: Vec<Paths> = provider.minting().iter().map(|path| Paths::of(path, prefix)).collect();
            if paths.is_empty() {
                continue;
            }
            let row = table.rows.len();
            for shape in provider.host_shapes() {
                match shape.fixed_host() {
                    Some(host) => table.by_host.entry(host).or_default().push(row),
                    None if shape.fits_some() => table.own.push((shape.ending(), shape, row)),
                    None => {}
                }
            }
            table.rows.push(Row { provider, paths });
        }
        table
    }

    fn at(&self, to: &Authority, provider: Option<&str>) -> impl Iterator<Item = &Row> {
        let host = match &to.host {
            Host::Name(name) => name.as_str(),
            Host::V4(_) | Host::V6(_) => "",
        };
        let fixed = self.by_host.get(host).into_iter().flatten().copied();
        let own = self.own.iter().filter(|(ending, shape, _)| host.ends_with(ending) && shape.fits(to));
        let own = own.map(|(_, _, row)| *row);
        let named = self.rows.iter().enumerate().filter(move |(_, row)| {
            provider.is_some_and(|name| row.provider.name.eq_ignore_ascii_case(name))
        });
        fixed.chain(own).chain(named.map(|(row, _)| row)).filter_map(|row| self.rows.get(row))
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::read);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Injection, Terms};

    fn rule(host: &str, paths: &[&str]) -> Rule {
        let mut terms = Terms::new(vec![host.parse().unwrap()], vec![Injection::bearer()]);
        let paths: Vec<PathPattern> = paths.iter().map(|path| path.parse().unwrap()).collect();
        terms.paths = Some(paths).filter(|paths| !paths.is_empty());
        Rule::new(terms).unwrap()
    }

    fn refused(paths: &[&str], host: &str, provider: Option<&str>, path: &str) -> bool {
        let to = Authority::parse(host, 443).unwrap();
        is_unnamed(&rule(host, paths), provider, &to, RequestPath::new(path.as_bytes()).unwrap())
    }

    #[test]
    fn v5_a_rule_for_the_host_does_not_mean_the_paths_that_make_credentials() {
        for path in
            ["/user/keys", "/user/keys/7", "/repos/o/r/keys", "/USER/KEYS", "/user/keys;x", "/user/keys%3Fx"]
        {
            assert!(refused(&[], "api.github.com", None, path), "{path}");
            assert!(refused(&["/*"], "api.github.com", None, path), "{path}");
            assert!(refused(&["/user/*", "/repos/o/*", "/USER/*"], "api.github.com", None, path), "{path}");
        }
        for (host, path) in [
            ("api.openai.com", "/v1/organization/admin_api_keys"),
            ("api.cloudflare.com", "/client/v4/user/tokens"),
            ("registry.npmjs.org", "/-/npm/v1/tokens"),
            ("api.sendgrid.com", "/v3/api_keys"),
        ] {
            assert!(refused(&[], host, None, path), "{host}{path}");
        }
        for (host, path) in [
            ("api.github.com", "/repos/o/r/issues"),
            ("api.github.com", "/user"),
            ("api.openai.com", "/v1/chat/completions"),
            ("x.test", "/user/keys"),
            ("192.0.2.7", "/user/keys"),
        ] {
            assert!(!refused(&[], host, None, path), "{host}{path}");
        }
    }

    #[test]
    fn a_rule_that_names_such_a_path_lets_it_pass_and_no_other() {
        let paths = &["/*", "/repos/acme/site/keys/*", "/user/gpg_keys"][..];
        for path in ["/repos/acme/site/keys", "/repos/acme/site/keys/1", "/user/gpg_keys", "/user"] {
            assert!(!refused(paths, "api.github.com", None, path), "{path}");
        }
        for path in
            ["/repos/acme/other/keys", "/user/keys", "/user/gpg_keys/1", "/USER/gpg_keys", "/user/gpg_keys;x"]
        {
            assert!(refused(paths, "api.github.com", None, path), "{path}");
        }
    }

    #[test]
    fn a_host_of_ones_own_is_known_by_the_provider_of_the_key() {
        for provider in ["meilisearch", "MeiliSearch"] {
            assert!(refused(&[], "search.ten.test", Some(provider), "/keys"));
        }
        assert!(!refused(&[], "search.ten.test", None, "/keys"));
        assert!(!refused(&[], "search.ten.test", Some("stripe"), "/keys"));
        assert!(refused(&[], "acme.myshopify.com", None, "/admin/api/2025-01/storefront_access_tokens.json"));
        // A GitHub of one's own has all of it below a prefix.
        for path in [
            "/api/v3/user/keys",
            "/API/v3/repos/o/r/keys/1",
            "/api/v3/admin/users/x/authorizations",
            "/user/keys",
        ] {
            assert!(refused(&[], "git.ten.test", Some("github"), path), "{path}");
            assert!(refused(&["/api/*", "/*"], "git.ten.test", Some("github"), path), "{path}");
        }
        let named = &["/*", "/api/v3/user/keys/*"][..];
        assert!(!refused(named, "git.ten.test", Some("github"), "/api/v3/user/keys/7"));
        assert!(refused(named, "git.ten.test", Some("github"), "/user/keys/7"));
        assert!(!refused(&[], "git.ten.test", Some("github"), "/api/v3/user"));
        assert!(!refused(&[], "git.ten.test", Some("gitlab"), "/api/v3/api/v4/user/keys"));
    }

    /// A request in GraphQL says in its body what it does: where another way leads to the rest, or it is all there is, the
    /// whole of it is refused until it is named.
    #[test]
    fn graphql_that_makes_tokens_is_refused_until_it_is_named() {
        for (host, path) in [
            ("gitlab.com", "/api/graphql"),
            ("api.fly.io", "/graphql"),
            ("backboard.railway.com", "/graphql/v2"),
            ("graphql.buildkite.com", "/v1"),
            ("acme.myshopify.com", "/admin/api/2025-01/graphql.json"),
        ] {
            assert!(refused(&[], host, None, path) && refused(&["/*"], host, None, path), "{host}{path}");
            assert!(!refused(&["/*", path], host, None, path), "{host}{path}");
        }
        assert!(!refused(&[], "api.github.com", None, "/graphql"));
    }

    #[test]
    fn what_is_made_somewhere_is_called_as_its_path_ends() {
        for provider in all() {
            for path in provider.minting() {
                let kind = Minting {
                    path: path.clone(),
                    named: false,
                    refused: Vec::new(),
                    provider: provider.name,
                };
                let kind = kind.kind();
                assert!(!kind.is_empty() && path.as_str().contains(kind), "{path}: {kind}");
            }
        }
    }

    #[test]
    fn what_a_rule_covers_of_them_is_told_by_whether_it_names_it() {
        let told = |host: &str, paths: &[&str], provider: Option<&str>| -> Vec<(String, bool)> {
            let all = of_rule(&rule(host, paths), provider);
            all.into_iter().map(|one| (one.path.to_string(), one.named)).collect()
        };
        let all = told("git.ten.test", &["/api/v3/user/keys", "/api/*"], Some("github"));
        assert!(
            all.contains(&("/user/keys/*".to_owned(), true))
                && all.contains(&("/user/gpg_keys/*".to_owned(), false))
        );
        let all = told("api.github.com", &[], None);
        assert!(all.contains(&("/user/keys/*".to_owned(), false)) && all.iter().all(|(_, named)| !named));
        assert_eq!(
            told("api.github.com", &["/user/*"], None)
                .iter()
                .filter(|(path, _)| path.starts_with("/repos"))
                .count(),
            0
        );
        assert!(
            told("api.github.com", &["/*", "/user/keys"], None).contains(&("/user/keys/*".to_owned(), true))
        );
        assert!(!told("*.github.com", &[], None).is_empty(), "a wildcard reaches it, too");
        assert!(told("x.test", &[], None).is_empty() && !told("x.test", &[], Some("github")).is_empty());
    }

    /// If a rule names part of a path, the rest is refused, and reported as refused.
    #[test]
    fn what_is_named_in_part_is_refused_for_the_rest() {
        let told = |host: &str, paths: &[&str], provider: &str, path: &str| {
            let all = of_rule(&rule(host, paths), Some(provider));
            let one = all.into_iter().find(|one| one.path.as_str() == path);
            one.map(|one| (one.named, one.refused.iter().map(ToString::to_string).collect::<Vec<_>>()))
        };
        let rest = |path: &str| vec![path.to_owned()];
        let items = "/v1/vaults/*/items/*";
        for (paths, expected) in [
            (&[][..], Some((false, rest(items)))),
            (&["/v1/*"], Some((false, rest(items)))),
            (&["/v1/*", "/v1/vaults/V/items/I"], Some((true, rest(items)))),
            (&["/v1/*", "/v1/vaults/V/items/*", "/v1/vaults/W/items/*"], Some((true, rest(items)))),
            (&["/v1/*", "/v1/vaults/*/items"], Some((true, rest(items)))),
            (&["/v1/*", "/V1/vaults/*/items/*"], Some((true, rest(items)))),
            (&["/v1/*", items], Some((true, Vec::new()))),
            // Nothing but the part may go out.
            (&["/v1/vaults/V/items/I"], Some((true, Vec::new()))),
            (&["/v1/vaults/V/items/I", "/health"], Some((true, Vec::new()))),
            (&["/health"], None),
        ] {
            let found = told("op.ten.test", paths, "1password-connect", items);
            assert_eq!(found, expected, "{paths:?}");
            let other = refused(paths, "op.ten.test", Some("1password-connect"), "/v1/vaults/O/items/I");
            if paths.is_empty() || paths.contains(&"/v1/*") {
                assert_eq!(other, found.is_some_and(|(_, refused)| !refused.is_empty()), "{paths:?}");
            }
        }
        // Each of both forms stands for itself.
        let (keys, below) = ("/user/keys/*", "/api/v3/user/keys/*");
        for (paths, expected) in [
            (&[][..], (false, vec![keys.to_owned(), below.to_owned()])),
            (&["/*", keys], (true, rest(below))),
            (&["/*", below], (true, rest(keys))),
            (&["/*", keys, below], (true, Vec::new())),
            (&[keys], (true, Vec::new())),
        ] {
            assert_eq!(told("git.ten.test", paths, "github", keys), Some(expected), "{paths:?}");
        }
        let everybodys = told("api.github.com", &["/*", keys], "github", keys);
        assert_eq!(everybodys, Some((true, Vec::new())), "there it has no prefix");
    }

    /// What a preset fills in is nobody's word about such paths.
    #[test]
    fn no_preset_names_a_path_of_its_provider_that_makes_credentials() {
        for provider in all() {
            let own: Vec<LenientPath> = provider.paths().iter().flatten().map(PathPattern::lenient).collect();
            for mint in provider.minting() {
                assert!(!own.iter().any(|own| mint.lenient().covers(own)), "{}: {mint}", provider.name);
            }
        }
    }

    /// What may be encoded without being refused as a path does not stand in these: it would be another spelling.
    #[test]
    fn such_paths_have_plain_letters_only() {
        for provider in all() {
            for mint in provider.minting() {
                let plain = |byte: u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'*' | b'-' | b'_' | b'.')
                };
                assert!(
                    mint.as_str().bytes().all(plain) && mint.as_str().len() > 2,
                    "{}: {mint}",
                    provider.name
                );
            }
        }
    }
}
