//! What a client that is refused is told to prove, and where: values of `WWW-Authenticate`.

use http::HeaderValue;

use super::{Grant, Resource};

/// Whether a text can stand in a header at all.
pub(super) fn is_sayable(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// That a name and a password are needed.
pub(super) fn basic(realm: &str) -> HeaderValue {
    let mut text = "Basic ".to_owned();
    parameter(&mut text, "realm", realm);
    value(&text, "Basic")
}

/// Why a token that was sent is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenError {
    Invalid,
    InsufficientScope,
}

/// That a token is needed: where to get it, for what service and for what.
pub(super) fn bearer<'a>(
    realm: &str,
    service: &str,
    grants: impl IntoIterator<Item = &'a Grant>,
    error: Option<TokenError>,
) -> HeaderValue {
    let mut text = "Bearer ".to_owned();
    parameter(&mut text, "realm", realm);
    text.push(',');
    parameter(&mut text, "service", service);
    let scope = scope(grants);
    if !scope.is_empty() {
        text.push(',');
        parameter(&mut text, "scope", &scope);
    }
    let error = error.map(|error| match error {
        TokenError::Invalid => "invalid_token",
        TokenError::InsufficientScope => "insufficient_scope",
    });
    if let Some(error) = error {
        text.push(',');
        parameter(&mut text, "error", error);
    }
    value(&text, "Bearer")
}

/// What is wanted, in the form that servers of tokens read: what belongs to one resource stands together.
fn scope<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> String {
    let mut scopes: Vec<(&Resource, Vec<&str>)> = Vec::new();
    for Grant { resource, action } in grants {
        let actions = match scopes.iter().position(|(known, _)| *known == resource) {
            Some(index) => &mut scopes[index].1,
            None => &mut scopes.push_mut((resource, Vec::new())).1,
        };
        if !actions.contains(&action.as_str()) {
            actions.push(action.as_str());
        }
    }
    let scope = |(resource, actions): &(&Resource, Vec<&str>)| {
        format!("{}:{}:{}", resource.kind(), resource.name(), actions.join(","))
    };
    scopes.iter().map(scope).collect::<Vec<_>>().join(" ")
}

fn parameter(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for character in value.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

fn value(text: &str, scheme: &'static str) -> HeaderValue {
    // Without control characters every text is a value.
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(scheme))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Action;
    use super::*;

    fn pull(name: &str) -> Grant {
        Grant::repository(name.parse().unwrap(), Action::Pull)
    }

    #[test]
    fn a_realm_is_quoted() {
        assert_eq!(basic("my realm"), r#"Basic realm="my realm""#);
        assert_eq!(basic(r#"a"b\c"#), r#"Basic realm="a\"b\\c""#);
        assert_eq!(basic("a\r\nSet-Cookie: b"), r#"Basic realm="aSet-Cookie: b""#);
        assert_eq!(basic("ü").as_bytes(), "Basic realm=\"ü\"".as_bytes());
    }

    #[test]
    fn a_scope_has_each_resource_once() {
        let catalog = Grant { resource: Resource::Catalog, action: Action::All };
        let push = Grant::repository("a".parse().unwrap(), Action::Push);
        let grants = [pull("a"), push, pull("b/c"), pull("a"), catalog];
        let value = bearer("r", "s", &grants, Some(TokenError::InsufficientScope));
        let expected = r#"Bearer realm="r",service="s",scope="repository:a:pull,push repository:b/c:pull registry:catalog:*",error="insufficient_scope""#;
        assert_eq!(value, expected);
        let nothing: [Grant; 0] = [];
        assert_eq!(bearer("r", "s", &nothing, None), r#"Bearer realm="r",service="s""#);
        let value = bearer("r", "s", &nothing, Some(TokenError::Invalid));
        assert_eq!(value, r#"Bearer realm="r",service="s",error="invalid_token""#);
    }

    proptest! {
        #[test]
        fn no_realm_leaves_its_quotes(realm in any::<String>()) {
            let value = basic(&realm);
            let text = std::str::from_utf8(value.as_bytes()).unwrap();
            let inner = text.strip_prefix("Basic realm=\"").and_then(|text| text.strip_suffix('"')).unwrap();
            let bare = inner.replace(r"\\", "").replace("\\\"", "");
            prop_assert!(!bare.contains(['"', '\\']), "{}", text);
        }
    }
}
