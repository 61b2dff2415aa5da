//! Texts that many records have, each kept once.

use std::collections::HashMap;

/// Texts, each kept once.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<String>,
    by_text: HashMap<String, u32>,
}

impl Names {
    /// The index of that text, new or old.
    pub fn put(&mut self, text: &str) -> u32 {
        if let Some(index) = self.by_text.get(text) {
            return *index;
        }
        let index = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.by_text.insert(text.to_owned(), index);
        index
    }

    /// The index of that text, if any record has it.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// The text of that index.
    pub fn get(&self, index: u32) -> &str {
        &self.texts[index as usize]
    }
}
