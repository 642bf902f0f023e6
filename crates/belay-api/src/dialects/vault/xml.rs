//! Answers in XML, made from their JSON, so that the two forms cannot drift apart.

use std::fmt;

use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::http::Fault;

const ROOT: &str = "VaultResponse";

/// Writes a JSON text as a document. A member becomes an element of its name.
pub(super) fn from_json(json: &str) -> Result<String, Fault> {
    let defect = |e: &dyn fmt::Display| {
        Fault::internal(format!("an answer could not be written as XML: {e}"))
    };
    let node: Node = serde_json::from_str(json).map_err(|e| defect(&e))?;
    let mut writer = Writer::new(Vec::new());
    writer
        .write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
        .and_then(|()| element(&mut writer, ROOT, &node))
        .map_err(|e| defect(&e))?;
    String::from_utf8(writer.into_inner()).map_err(|e| defect(&e))
}

/// What the entries of a list are called.
fn entry(list: &str) -> &'static str {
    match list {
        "errors" => "error",
        "jobs" => "job",
        "links" => "link",
        "tasks" => "task",
        _ => "item",
    }
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, node: &Node) -> std::io::Result<()> {
    writer.write_event(Event::Start(BytesStart::new(name)))?;
    match node {
        Node::Text(text) => {
            let text: String = text.chars().map(legal).collect();
            writer.write_event(Event::Text(BytesText::from_escaped(partial_escape(text))))?;
        }
        Node::List(entries) => {
            for node in entries {
                element(writer, entry(name), node)?;
            }
        }
        Node::Members(members) => {
            for (name, node) in members {
                element(writer, name, node)?;
            }
        }
    }
    writer.write_event(Event::End(BytesEnd::new(name)))
}

/// The character, when XML 1.0 can hold it.
fn legal(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => c,
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// A JSON value with its members in their order.
#[derive(Debug)]
enum Node {
    Text(String),
    List(Vec<Node>),
    Members(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(node) = items.next_element()? {
            entries.push(node);
        }
        Ok(Node::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = items.next_entry()? {
            members.push(member);
        }
        Ok(Node::Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        let text = from_json(json).unwrap();
        text.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><VaultResponse>"#)
            .and_then(|rest| rest.strip_suffix("</VaultResponse>"))
            .unwrap()
            .to_owned()
    }

    #[test]
    fn members_keep_their_order_and_entries_have_the_name_of_their_list() {
        assert_eq!(
            of(r#"{"z":"SUCCESS","data":[{"id":7},{"errors":{"type":"X"}}],"a":true,"b":null}"#),
            "<z>SUCCESS</z><data><item><id>7</id></item><item><errors><type>X</type></errors></item></data><a>true</a><b></b>"
        );
        assert_eq!(
            of(r#"{"errors":[{"type":"X"}],"jobs":[1,2],"links":[],"tasks":[],"vaultIds":[3]}"#),
            "<errors><error><type>X</type></error></errors><jobs><job>1</job><job>2</job></jobs><links></links><tasks></tasks>\
             <vaultIds><item>3</item></vaultIds>"
        );
    }

    #[test]
    fn texts_are_escaped_and_what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            of(r#"{"m":"<a&b> ]]> \"'"}"#),
            "<m>&lt;a&amp;b&gt; ]]&gt; \"'</m>"
        );
        assert_eq!(
            of("{\"m\":\"\\u0000\\u0001\\u001f\\ufffe\\uffff|\\t\\n\u{7f}\u{10ffff}é\"}"),
            "<m>\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}|\t\n\u{7f}\u{10ffff}é</m>"
        );
        // A bare carriage return would come back as a line feed.
        assert_eq!(of(r#"{"m":"a\rb"}"#), "<m>a&#13;b</m>");
    }
}
