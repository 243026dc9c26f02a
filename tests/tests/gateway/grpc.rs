//! gRPC behind the gateway: calls, streams and what services refuse, with the key in the metadata that the service reads.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use keyward_tests::authority::Authority;
use keyward_tests::machine::run;
use keyward_tests::tools::python;

use crate::{SECRET, Scene, Service};

#[test]
fn grpc_of_python_calls_streams_and_is_refused_through_the_variables() {
    let scene = Scene::of("bearer", service);
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    let mut command = agent.command(python());
    command.args(["-c", CLIENT, &format!("localhost:{}", scene.service.port)]);
    let ended = run(command, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        "known\nknown 0\nknown 1\nknown 2\n\
         INVALID_ARGUMENT bad none kept\nUNIMPLEMENTED Method not found! \nUNAVAILABLE after 1 kept\n",
        "{}",
        ended.stderr
    );
}

/// A server of gRPC that tells whether it was shown the key.
fn service(authority: &Authority) -> Service {
    let mut command = Command::new(python());
    command.args(["-c", SERVER]).arg(authority.path("server.pem")).arg(authority.path("server.key"));
    command.env("WANTED", format!("Bearer {SECRET}")).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Service { port: line.trim_end().parse().unwrap(), seen: Arc::default(), process: Some(process) }
}

const SERVER: &str = "
import os, sys, grpc
from concurrent import futures
def who(context):
    shown = dict(context.invocation_metadata()).get('authorization')
    return b'known' if shown == os.environ['WANTED'] else b'nobody'
def one(request, context):
    return who(context)
def many(request, context):
    for number in range(3):
        yield who(context) + b' %d' % number
def refuse(request, context):
    context.set_trailing_metadata((('remark', 'kept'),))
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, 'bad none')
def begin(request, context):
    yield b'first'
    context.set_trailing_metadata((('remark', 'kept'),))
    context.abort(grpc.StatusCode.UNAVAILABLE, 'after 1')
class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == '/test.Test/Refuse':
            return grpc.unary_unary_rpc_method_handler(refuse)
        if details.method == '/test.Test/Begin':
            return grpc.unary_stream_rpc_method_handler(begin)
        if details.method == '/test.Test/None':
            return None
        if details.method == '/test.Test/Many':
            return grpc.unary_stream_rpc_method_handler(many)
        return grpc.unary_unary_rpc_method_handler(one)
chain, key = (open(path, 'rb').read() for path in sys.argv[1:3])
server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
print(server.add_secure_port('127.0.0.1:0', grpc.ssl_server_credentials([(key, chain)])), flush=True)
server.start()
server.wait_for_termination()
";
const CLIENT: &str = "
import sys, grpc
with grpc.secure_channel(sys.argv[1], grpc.ssl_channel_credentials()) as channel:
    print(channel.unary_unary('/test.Test/One')(b'', timeout=60).decode())
    for message in channel.unary_stream('/test.Test/Many')(b'', timeout=60):
        print(message.decode())
    def failed(call):
        try:
            call()
        except grpc.RpcError as error:
            remark = dict(error.trailing_metadata()).get('remark', '')
            print(error.code().name, error.details(), remark)
    failed(lambda: channel.unary_unary('/test.Test/Refuse')(b'', timeout=60))
    failed(lambda: channel.unary_unary('/test.Test/None')(b'', timeout=60))
    failed(lambda: list(channel.unary_stream('/test.Test/Begin')(b'', timeout=60)))
";
