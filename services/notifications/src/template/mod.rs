//! Templates: a subject, a text and an HTML part each, in one layout, with every value made harmless (F107).

mod catalogue;
mod values;

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::Error;
use crate::template::catalogue::{CATALOGUE, LAYOUT_HTML, LAYOUT_TEXT};

/// A mail without sender and recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// For programs that show no HTML.
    pub text: String,
    /// For all others.
    pub html: String,
}

/// Mails hold codes, so they are not printed.
impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rendered").finish_non_exhaustive()
    }
}

/// All templates, ready to be filled in.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Reads the templates that the program carries.
    pub fn load(brand: &str, public_url: &str) -> Result<Self, Error> {
        let mut environment = Environment::new();
        // A value that is printed must be there; one that is only asked for may be absent.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        let mut syntax = SyntaxConfig::builder();
        syntax
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true);
        environment.set_syntax(syntax.build().map_err(|source| Error::TemplateSource {
            name: "syntax".to_owned(),
            source,
        })?);
        environment.add_global("brand", values::plain(brand));
        environment.add_global("public_url", public_url.trim_end_matches('/').to_owned());
        let mut add = |name: String, source: &'static str| {
            environment
                .add_template_owned(name.clone(), source)
                .map_err(|source| Error::TemplateSource { name, source })
        };
        add("layout.html".to_owned(), LAYOUT_HTML)?;
        add("layout.txt".to_owned(), LAYOUT_TEXT)?;
        for template in CATALOGUE {
            add(format!("{}.subject", template.name), template.subject)?;
            add(format!("{}.txt", template.name), template.text)?;
            add(format!("{}.html", template.name), template.html)?;
        }
        Ok(Self { environment })
    }

    /// The names of all templates.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CATALOGUE.iter().map(|template| template.name)
    }

    /// Fills in a template. `user_name` is used when `params` has none.
    pub fn render(
        &self,
        name: &str,
        params: &BTreeMap<String, String>,
        user_name: Option<&str>,
    ) -> Result<Rendered, Error> {
        if !Self::names().any(|known| known == name) {
            return Err(Error::TemplateUnknown {
                name: name.chars().take(64).collect(),
            });
        }
        let mut values = BTreeMap::new();
        for (key, value) in params {
            let value = values::harmless(key, value).map_err(|problem| Error::TemplateValues {
                name: name.to_owned(),
                problem,
            })?;
            values.insert(key.as_str(), value);
        }
        if let Some(user_name) = user_name {
            let known =
                values::harmless("user_name", user_name).map_err(|problem| Error::TemplateValues {
                    name: name.to_owned(),
                    problem,
                })?;
            values.entry("user_name").or_insert(known);
        }
        let values = Value::from_pairs(values);
        let part = |kind: &str| {
            self.environment
                .get_template(&format!("{name}.{kind}"))
                .and_then(|template| template.render(values.clone()))
                .map_err(|error| Error::TemplateValues {
                    name: name.to_owned(),
                    problem: explain(&error),
                })
        };
        Ok(Rendered {
            subject: part("subject")?.trim().to_owned(),
            text: part("txt")?,
            html: part("html")?,
        })
    }
}

/// What went wrong and where. The text of a rendering error names values and does not show them.
fn explain(error: &minijinja::Error) -> String {
    let place = error
        .name()
        .map(|name| format!(" in {name}, line {}", error.line().unwrap_or(0)));
    format!("{}{}", error.kind(), place.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates() -> Templates {
        Templates::load("Ferrex", "https://wallet.example.org/").unwrap()
    }

    #[test]
    fn an_unknown_template_is_refused_by_name() {
        let error = templates().render("no_such", &BTreeMap::new(), None).unwrap_err();
        assert_eq!(error.to_string(), "there is no template \"no_such\"");
        assert!(templates().render("layout", &BTreeMap::new(), None).is_err());
    }

    #[test]
    fn a_missing_value_is_refused_and_nothing_is_shown() {
        let params = BTreeMap::from([("code".to_owned(), "123456".to_owned())]);
        let text = templates()
            .render("confirm_email", &params, None)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("confirm_email") && text.contains("undefined"),
            "{text}"
        );
        assert!(!text.contains("123456"), "{text}");
    }
}
