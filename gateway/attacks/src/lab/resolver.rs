//! A resolver that says what a case wants, and knows what it was asked.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use keyward_gateway::config::Resolver;

use crate::lab::record;

/// No other name has an address.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Answers, one after the other; the last one stays.
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Vec<String>,
}

impl Names {
    /// What a name is said to be at, each time it is asked for.
    pub(crate) fn say(&self, name: &str, answers: &[&[&str]]) {
        let parsed = |addresses: &&[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
        let answers = answers.iter().rev().map(parsed).collect();
        self.0.lock().unwrap().answers.insert(name.to_owned(), answers);
    }

    /// The names that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn resolver(&self) -> Arc<Resolver> {
        let (state, heard) = (Arc::clone(&self.0), record::ear("a resolver"));
        Arc::new(move |name, port| {
            let name = name.trim_end_matches('.').to_owned();
            heard.lock().unwrap().extend_from_slice(format!("{name}\n").as_bytes());
            let mut state = state.lock().unwrap();
            state.asked.push(name.clone());
            let answers = state.answers.get_mut(&name).ok_or(io::ErrorKind::NotFound)?;
            let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
            Ok(answer.into_iter().flatten().map(|address| SocketAddr::new(address, port)).collect())
        })
    }
}
