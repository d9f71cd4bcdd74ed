//! Values that are read and never shown: neither printed, nor logged, nor written out with the rest of the configuration.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands in the place of a secret.
const HIDDEN: &str = "...";

/// A secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl Secret {
    /// The secret itself. Not for logs or messages.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// A database URL. May hold a password: all that is shown of it is what it describes.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// A URL as it stands.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself. Not for logs or messages.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it names a SQLite file.
    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// Which database it names, without anything secret: `sqlite:PATH`, or Postgres without user and password.
    pub fn describe(&self) -> String {
        if self.is_sqlite() {
            return self.0.clone();
        }
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        // A password may hold an `@`, and so may what follows a `?`.
        let place = rest.split('?').next().unwrap_or_default();
        format!("postgres://{}", place.rsplit_once('@').map_or(place, |(_, place)| place))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_sqlite() { "sqlite:..." } else { "postgres://..." })
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.describe())
    }
}
