//! Requests that no generated client would send, straight over HTTP/2.

use h2::client;
use http::{Request, StatusCode};
use prost::bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;
use tonic::Status;

/// One gRPC message as it stands on the wire.
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

/// Posts bytes to a path, with more headers than the usual; returns the status that came back.
pub async fn post(url: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Status {
    let request = Request::post(format!("{url}{path}")).header("te", "trailers");
    let mut request = request.header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (_, status) = exchange(url, request.body(()).unwrap(), body).await.expect("an answer over HTTP/2");
    status.unwrap_or_else(|| panic!("{path} answers without a gRPC status"))
}

/// Posts what is no gRPC to a path, as the form of a web page would; returns the status of HTTP.
pub async fn post_form(url: &str, path: &str) -> StatusCode {
    let request = Request::post(format!("{url}{path}")).header("content-type", "application/x-www-form-urlencoded");
    exchange(url, request.body(()).unwrap(), Bytes::from_static(b"a=b")).await.expect("an answer over HTTP/2").0
}

async fn exchange(url: &str, request: Request<()>, body: Bytes) -> Result<(StatusCode, Option<Status>), h2::Error> {
    let socket = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let (sender, connection) = client::handshake(socket).await?;
    let connection = tokio::spawn(connection);
    let mut sender = sender.ready().await?;
    let (response, mut stream) = sender.send_request(request, false)?;
    stream.send_data(body, true)?;
    let response = response.await?;
    let (head, mut incoming) = response.into_parts();
    while let Some(chunk) = incoming.data().await {
        incoming.flow_control().release_capacity(chunk?.len())?;
    }
    let trailers = incoming.trailers().await?.unwrap_or_default();
    connection.abort();
    Ok((head.status, Status::from_header_map(&head.headers).or_else(|| Status::from_header_map(&trailers))))
}
