//! Reads the outcomes of a vector: the `pass` and `warn` lines (`tests/vectors/README.md`).

use super::text::Text;
use super::vector::{Alternative, Condition, FieldTest, JsonWant, StatusPattern};
use super::vector_reader::{Read, count, response, whole};

/// Conditions are separated by `; `, words by blanks; a word may be a quoted text.
pub(crate) fn alternative(source: &str) -> Read<Alternative> {
    let mut conditions = Vec::new();
    for words in clauses(source)? {
        conditions.push(condition(&words)?);
    }
    let only = |allowed: &[Condition]| conditions.iter().all(|c| allowed.contains(c));
    if conditions.contains(&Condition::Garbage) && conditions.len() > 1 {
        return Err("`garbage` stands alone: no response could be read".to_owned());
    }
    if conditions.contains(&Condition::Silent)
        && !only(&[Condition::Silent, Condition::Open, Condition::Closed])
    {
        return Err("`silent` goes with `open` or `closed` only".to_owned());
    }
    Ok(Alternative { conditions })
}

#[derive(Debug)]
enum Word {
    Plain(String),
    Quoted(Text),
}

fn clauses(source: &str) -> Read<Vec<Vec<Word>>> {
    let mut clauses = vec![Vec::new()];
    let mut rest = source;
    while !rest.is_empty() {
        let word;
        if let Some(after) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = after.bytes().position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            let end = end.ok_or_else(|| "a quoted text does not end".to_owned())?;
            word = Word::Quoted(Text::read(&after[..end])?);
            rest = &after[end + 1..];
        } else {
            let end = rest.find([' ', ';']).unwrap_or(rest.len());
            word = Word::Plain(rest[..end].to_owned());
            rest = &rest[end..];
        }
        clauses
            .last_mut()
            .unwrap_or_else(|| unreachable!("never empty"))
            .push(word);
        if let Some(after) = rest.strip_prefix("; ") {
            clauses.push(Vec::new());
            rest = after;
        } else if let Some(after) = rest.strip_prefix(' ') {
            rest = after;
        } else if !rest.is_empty() {
            return Err(format!("a blank or `; ` is missing before `{rest}`"));
        }
    }
    Ok(clauses)
}

fn condition(words: &[Word]) -> Read<Condition> {
    use Word::{Plain, Quoted};
    let unknown = || format!("condition {words:?} is not known");
    let [Plain(name), args @ ..] = words else {
        return Err(unknown());
    };
    Ok(match (name.as_str(), args) {
        ("silent", []) => Condition::Silent,
        ("garbage", []) => Condition::Garbage,
        ("open", []) => Condition::Open,
        ("closed", []) => Condition::Closed,
        ("interim", []) => Condition::Interim(true),
        ("no-interim", []) => Condition::Interim(false),
        ("length-is-body", []) => Condition::LengthIsBody,
        ("date-is-now", []) => Condition::DateIsNow,
        ("status", list @ [_, ..]) => {
            let mut each = Vec::new();
            for word in list {
                let Plain(word) = word else {
                    return Err(unknown());
                };
                each.push(statuses(word)?);
            }
            Condition::Status(each)
        }
        ("every", [Plain(number), Plain(list)]) => {
            Condition::Every(count(number)?, statuses(list)?)
        }
        ("at-least", [Plain(number)]) => Condition::AtLeast(whole(number)?),
        ("at-most", [Plain(number)]) => Condition::AtMost(whole(number)?),
        ("body", [Plain(at), Quoted(text)]) => Condition::Body(response(at)?, fixed(text)?),
        ("body-has", [Plain(at), Quoted(text)]) => Condition::BodyHas(response(at)?, fixed(text)?),
        ("body-lacks", [Plain(at), Quoted(text)]) => {
            Condition::BodyLacks(response(at)?, fixed(text)?)
        }
        ("body-length", [Plain(at), Plain(bytes)]) => {
            Condition::BodyLength(response(at)?, whole(bytes)?)
        }
        ("body-fill", [Plain(at), Quoted(text), Plain(bytes)]) if !text.is_empty() => {
            Condition::BodyFill(response(at)?, fixed(text)?, whole(bytes)?)
        }
        ("counted", [Quoted(text)]) if text.is_counted() => Condition::Counted(text.clone()),
        ("field", [Plain(at), Plain(name), test @ ..]) => {
            Condition::Field(response(at)?, field_name(name)?, field_test(test)?)
        }
        ("same", [Plain(a), Plain(b), Plain(name)]) => {
            Condition::Same(response(a)?, response(b)?, field_name(name)?)
        }
        ("differ", [Plain(a), Plain(b), Plain(name)]) => {
            Condition::Differ(response(a)?, response(b)?, field_name(name)?)
        }
        ("json", [Plain(at), Plain(key), want]) => {
            let key = (key != "*").then(|| key.clone());
            Condition::Json(response(at)?, key, json_want(want)?)
        }
        _ => return Err(unknown()),
    })
}

fn statuses(list: &str) -> Read<Vec<StatusPattern>> {
    list.split('/').map(status).collect()
}

fn status(word: &str) -> Read<StatusPattern> {
    let wrong = || format!("`{word}` is no status");
    if word == "any" {
        return Ok(StatusPattern::Any);
    }
    let (not, code) = word
        .strip_prefix('!')
        .map_or((false, word), |code| (true, code));
    let class = code.strip_suffix("xx");
    let number: u16 = class.unwrap_or(code).parse().map_err(|_| wrong())?;
    match (not, class) {
        (false, Some(_)) if (1..=5).contains(&number) => Ok(StatusPattern::Class(number)),
        (true, Some(_)) if (1..=5).contains(&number) => Ok(StatusPattern::NotClass(number)),
        (false, None) if (100..600).contains(&number) => Ok(StatusPattern::Exactly(number)),
        (true, None) if (100..600).contains(&number) => Ok(StatusPattern::Not(number)),
        _ => Err(wrong()),
    }
}

fn field_name(name: &str) -> Read<String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.chars().all(good) {
        Ok(name.to_owned())
    } else {
        Err(format!("field `{name}`"))
    }
}

fn field_test(words: &[Word]) -> Read<FieldTest> {
    use Word::{Plain, Quoted};
    let unknown = || format!("field test {words:?} is not known");
    let [Plain(name), value @ ..] = words else {
        return Err(unknown());
    };
    let value = match value {
        [] => None,
        [Quoted(text)] => Some(fixed(text)?.into_iter().map(char::from).collect::<String>()),
        _ => return Err(unknown()),
    };
    Ok(match (name.as_str(), value) {
        ("present", None) => FieldTest::Present,
        ("absent", None) => FieldTest::Absent,
        ("once", None) => FieldTest::Once,
        ("equals", Some(value)) => FieldTest::Equals(value),
        ("if", Some(value)) => FieldTest::If(value),
        ("starts", Some(value)) => FieldTest::Starts(value),
        ("token", Some(value)) if value == value.to_lowercase() => FieldTest::Token(value),
        ("no-token", Some(value)) if value == value.to_lowercase() => FieldTest::NoToken(value),
        _ => return Err(unknown()),
    })
}

fn json_want(word: &Word) -> Read<JsonWant> {
    let word = match word {
        Word::Quoted(text) => {
            let text = String::from_utf8(fixed(text)?).map_err(|error| error.to_string())?;
            return Ok(JsonWant::Text(text));
        }
        Word::Plain(word) => word,
    };
    let number = |digits: &str| {
        digits
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .ok_or_else(|| format!("json `{word}`"))
    };
    Ok(match word.strip_prefix('~') {
        Some(digits) => JsonWant::About(number(digits)?),
        None if word == "any" => JsonWant::Any,
        None => JsonWant::Exactly(number(word)?),
    })
}

fn fixed(text: &Text) -> Read<Vec<u8>> {
    if text.is_counted() {
        return Err("a placeholder outside `counted`".to_owned());
    }
    Ok(text.bytes())
}
