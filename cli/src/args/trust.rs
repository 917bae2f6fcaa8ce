//! Whose rings a command opens.

use ringpipe::{Options, RingKind};

/// Whom to trust besides oneself.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Trust {
    /// Open it also if that user made it, or with `any`, if anybody did. Without this, only what you have made yourself is opened:
    /// who makes a ring can spoil all that goes through it.
    #[arg(long = "trust-uid", value_name = "UID|any", value_parser = parse_who)]
    who: Option<Who>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    User(u32),
    Anybody,
}

impl Trust {
    /// The same options, with such trust.
    pub(crate) fn put<K: RingKind>(self, options: Options<K>) -> Options<K> {
        match self.who {
            None => options,
            Some(Who::User(uid)) => options.trust_uid(uid),
            Some(Who::Anybody) => options.trust_any_uid(),
        }
    }
}

fn parse_who(text: &str) -> Result<Who, String> {
    if text == "any" {
        return Ok(Who::Anybody);
    }
    let uid = text.parse().map(Who::User);
    uid.map_err(|_| "it takes a user's number, such as 1000, or `any`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers_or_any() {
        assert_eq!(parse_who("0"), Ok(Who::User(0)));
        assert_eq!(parse_who("1000"), Ok(Who::User(1000)));
        assert_eq!(parse_who("any"), Ok(Who::Anybody));
        for text in ["", "root", "-1", "4294967296", "Any"] {
            assert!(parse_who(text).is_err(), "{text}");
        }
    }
}
