use std::net::{Ipv4Addr, TcpListener};

use keyward_cli::export::Format;
use keyward_tests::http::Answer;
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::run;
use serde_json::Value;

use crate::batch::{Batch, Found, machine, written};
use crate::values::PEM;

/// The variables in the request for a container that `docker create --env-file` sends to its daemon.
fn docker(file: &[u8]) -> Result<Found, String> {
    // Nothing listens behind the liar, which answers everything itself.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let daemon = Liar::before(nobody);
    daemon.lie("*", |request, _| {
        let answer = match request.path() {
            path if path.ends_with("/containers/create") => {
                Answer::new(201, r#"{"Id": "0", "Warnings": []}"#)
            }
            _ => Answer::new(200, "OK").header("api-version", "1.41"),
        };
        Reply::Whole(answer.header("content-type", "application/json"))
    });
    let machine = machine(file).with("DOCKER_HOST", daemon.url().replace("http:", "tcp:"));
    let mut command = machine.command("docker".into());
    command.args(["create", "--env-file", "file", "image"]);
    let ended = run(command, b"");
    if ended.code != 0 {
        return Err(ended.stderr);
    }
    let asked =
        daemon.traffic().into_iter().find(|exchange| exchange.request.path().ends_with("/create")).unwrap();
    let asked: Value = serde_json::from_slice(&asked.request.body).unwrap();
    let pairs =
        asked["Env"].as_array().unwrap().iter().map(|pair| pair.as_str().unwrap().split_once('=').unwrap());
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect())
}

#[test]
fn docker_takes_every_value_that_is_not_refused() {
    let batch = Batch::with_the_ordinary(Format::Docker);
    assert!(batch.len() > 600, "{} values were not refused", batch.len());
    batch.check("docker", &docker(&batch.file()).unwrap());
    assert!(written(Format::Docker, "A", PEM.as_bytes()).is_err());
}

#[test]
fn the_longest_line_that_is_written_is_the_longest_that_docker_reads() {
    let longest = "x".repeat(65_533);
    let file = written(Format::Docker, "A", longest.as_bytes()).unwrap();
    assert_eq!(docker(&file).unwrap()["A"], longest.as_bytes());
    assert!(written(Format::Docker, "A", format!("{longest}x").as_bytes()).is_err());
    assert!(docker(format!("A={longest}x\n").as_bytes()).unwrap_err().contains("too long"));
}
