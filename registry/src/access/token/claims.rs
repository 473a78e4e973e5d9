//! What a token says.

use serde::Deserialize;

use crate::access::{Action, Grant};

/// How far the clocks of servers may be apart, in seconds.
const LEEWAY: f64 = 60.0;

/// What a token that was found good allows, to whom and until when.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: Option<String>,
    expires: f64,
    access: Vec<Access>,
}

#[derive(Debug, Deserialize)]
struct Access {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    /// A list of nothing is `null` to some servers.
    actions: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Wire {
    iss: String,
    sub: Option<String>,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    access: Option<Vec<Access>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, service: &str) -> bool {
        match self {
            Self::One(audience) => audience == service,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == service),
        }
    }
}

impl Claims {
    /// What is claimed, if it is claimed by `issuer`, for `service` and for this time.
    pub(super) fn read(payload: &[u8], issuer: &str, service: &str, now: f64) -> Result<Self, &'static str> {
        let wire: Wire = serde_json::from_slice(payload).map_err(|_| "its claims are not what they should be")?;
        if wire.iss != issuer {
            return Err("it is from another issuer");
        }
        if !wire.aud.has(service) {
            return Err("it is for another service");
        }
        if wire.nbf.is_some_and(|begins| now < begins - LEEWAY) {
            return Err("it is not valid yet");
        }
        let claims = Self { subject: wire.sub, expires: wire.exp, access: wire.access.unwrap_or_default() };
        if claims.has_expired(now) { Err("it has expired") } else { Ok(claims) }
    }

    pub(super) fn has_expired(&self, now: f64) -> bool {
        now > self.expires + LEEWAY
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> u32 {
        let actions = |access: &Access| access.actions.iter().flatten().map(|action| 24 + action.len()).sum::<usize>();
        let bytes = |access: &Access| 128 + access.kind.len() + access.name.len() + actions(access);
        let total = 128 + self.subject.as_ref().map_or(0, String::len) + self.access.iter().map(bytes).sum::<usize>();
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    pub(super) fn allows(&self, grant: &Grant) -> bool {
        let Grant { resource, action } = grant;
        let is_it = |access: &&Access| access.kind == resource.kind() && access.name == resource.name();
        let mut actions = self.access.iter().filter(is_it).flat_map(|access| access.actions.iter().flatten());
        actions.any(|allowed| allowed == Action::All.as_str() || allowed == action.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::Resource;

    const NOW: f64 = 1000.0;

    fn claims() -> Value {
        let access = json!([
            { "type": "repository", "class": "image", "name": "a", "actions": ["pull"] },
            { "type": "repository", "name": "a", "actions": ["push"] },
            { "type": "repository", "name": "b", "actions": ["*"] },
            { "type": "repository", "name": "c", "actions": null },
            { "type": "registry", "name": "catalog", "actions": ["*"] },
        ]);
        json!({ "iss": "i", "aud": "s", "sub": "ana", "exp": 2000, "nbf": 900, "access": access })
    }

    fn read(change: impl FnOnce(&mut Value)) -> Result<Claims, &'static str> {
        let mut claims = claims();
        change(&mut claims);
        Claims::read(claims.to_string().as_bytes(), "i", "s", NOW)
    }

    fn without(name: &str) -> Result<Claims, &'static str> {
        read(|claims| drop(claims.as_object_mut().unwrap().remove(name)))
    }

    #[test]
    fn what_is_allowed() {
        let claims = read(|_| ()).unwrap();
        let to = |name: &str, action| Grant::repository(name.parse().unwrap(), action);
        let allowed = [
            to("a", Action::Pull),
            to("a", Action::Push),
            to("b", Action::Delete),
            to("b", Action::All),
            Grant { resource: Resource::Catalog, action: Action::All },
        ];
        assert!(allowed.iter().all(|grant| claims.allows(grant)));
        let refused = [to("a", Action::Delete), to("a", Action::All), to("c", Action::Pull), to("a/b", Action::Pull)];
        assert!(refused.iter().all(|grant| !claims.allows(grant)));
        let catalog = Grant { resource: Resource::Catalog, action: Action::All };
        assert!(!without("access").unwrap().allows(&catalog));
        assert!(!read(|claims| claims["access"] = Value::Null).unwrap().allows(&catalog));
        // A repository of that name is not the list of all.
        let named = json!([{ "type": "repository", "name": "catalog", "actions": ["*"] }]);
        assert!(!read(|claims| claims["access"] = named).unwrap().allows(&catalog));
    }

    #[test]
    fn whose_and_for_whom() {
        assert!(read(|claims| claims["aud"] = json!(["other", "s"])).is_ok());
        for aud in [json!("other"), json!([]), json!(["other"]), json!(""), json!(1), json!(null), json!("S")] {
            assert!(read(|claims| claims["aud"] = aud).is_err());
        }
        for iss in [json!("other"), json!(""), json!(["i"]), json!(null)] {
            assert!(read(|claims| claims["iss"] = iss).is_err());
        }
        assert!(["iss", "aud", "exp"].iter().all(|name| without(name).is_err()));
        assert!(["sub", "nbf", "access"].iter().all(|name| without(name).is_ok()));
    }

    #[test]
    fn from_when_and_until_when() {
        for (exp, nbf, is_good) in [
            (json!(NOW - 60.0), json!(NOW + 60.0), true),
            (json!(NOW - 61.0), json!(0), false),
            (json!(NOW), json!(NOW + 61.0), false),
            (json!(1e300), json!(-1e300), true),
            (json!("2000"), json!(0), false),
            (json!(2000), json!("0"), false),
            (json!(null), json!(0), false),
            (json!(2000), json!(null), true),
        ] {
            let told = read(|claims| (claims["exp"], claims["nbf"]) = (exp.clone(), nbf.clone()));
            assert_eq!(told.is_ok(), is_good, "{exp} {nbf}");
        }
    }
}
