//! JSON, written: no more than this program needs. What it prints may stand inside a `<script>` of a page.

use std::fmt::{self, Write};

/// A value.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// A map with these members, in this order.
    pub fn map<const N: usize>(members: [(&str, Json); N]) -> Self {
        Self::Map(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A map that is made one member after another.
    pub fn collect<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Self {
        Self::Map(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// A list of what can be a value.
    pub fn list<T: Into<Json>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        i64::try_from(number).map_or(Self::Null, Self::Number)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            // A script must not be ended, nor a comment begun, by what stands in a string.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => write!(f, "\\u{:04x}", u32::from(c))?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    ends: (char, char),
    items: &[T],
    one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(ends.0)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        one(f, item)?;
    }
    f.write_char(ends.1)
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => quoted(f, text),
            Self::List(items) => separated(f, ('[', ']'), items, |f, item| write!(f, "{item}")),
            Self::Map(members) => separated(f, ('{', '}'), members, |f, (key, value)| {
                quoted(f, key)?;
                write!(f, ":{value}")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn values_are_written_as_json_has_them() {
        let value = Json::map([
            ("a", Json::list([1_usize, 2])),
            ("b", Json::Null),
            ("c", Json::Bool(true)),
            ("d", Json::map([("e", "f".into())])),
        ]);
        assert_eq!(value.to_string(), r#"{"a":[1,2],"b":null,"c":true,"d":{"e":"f"}}"#);
    }

    #[test]
    fn a_string_ends_neither_itself_nor_the_script_that_it_stands_in() {
        let value = Json::from("</script><!-- \"\\\n");
        assert_eq!(value.to_string(), r#""\u003c/script\u003e\u003c!-- \"\\\u000a""#);
    }
}
