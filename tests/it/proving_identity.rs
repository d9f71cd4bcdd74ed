//! Who calls is shown by a token of an issuer that is trusted, and by nothing else that looks like one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::contract::methods;
use crate::support::issuer::{
    AUDIENCE, ISSUER, Issuer, KeyFile, KeyServer, claims, hmac_token, key_set, seconds_from_now,
};
use crate::support::pb::GetSettingsRequest;
use crate::support::raw::{frame, post};
use crate::support::*;
use prost::Message;

const PATH: &str = "/leadflip.ownership.v1.AccountService/GetSettings";

/// Servers that trust the keys in a file; the test calls with a token for everything.
fn trusting(keys: &KeyFile, issuer: &Issuer) -> Setup {
    one_replica().trusting(keys, &issuer.service())
}

/// The answer to a harmless question under these headers.
async fn ask(world: &World, headers: &[(&str, &str)]) -> tonic::Status {
    let question = GetSettingsRequest { account_id: "acme".to_owned(), consistency: None };
    post(world.url(0), PATH, headers, frame(&question.encode_to_vec())).await
}

async fn ask_with(world: &World, token: &str) -> tonic::Status {
    ask(world, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn without_a_token_nothing_is_answered_but_health_and_reflection() {
    let issuer = Issuer::new("one");
    let keys = KeyFile::of(&[&issuer]);
    trusting(&keys, &issuer)
        .check(async |world| {
            for method in methods() {
                let refused = refusal(post(world.url(0), &method.path, &[], frame(&[])).await);
                refused.is("CREDENTIALS_MISSING");
            }
            refusal(post(world.url(0), "/leadflip.ownership.v1.Nothing/Nothing", &[], frame(&[])).await)
                .is("CREDENTIALS_MISSING");
            let healthy = run(&["healthcheck", "--server", world.url(0)], &[]);
            assert!(healthy.status.success(), "{healthy:?}");
            let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
            let asked_nothing = post(world.url(0), reflection, &[], frame(&[])).await;
            assert_eq!(asked_nothing.code(), Code::InvalidArgument, "it is reflection that answers: {asked_nothing:?}");
            // What a proxy might say about a caller is not believed.
            for header in ["x-forwarded-client-cert", "x-user-id", "x-account-id"] {
                refusal(ask(world, &[(header, "spiffe://crm.example/board")]).await).is("CREDENTIALS_MISSING");
            }
        })
        .await;
}

/// A good token for a member, but for some claims; `null` takes one away.
fn changed(issuer: &Issuer, changes: Value) -> String {
    let mut claims = claims("member", "acme");
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name)
        } else {
            claims.as_object_mut().unwrap().insert(name.clone(), value.clone())
        };
    }
    issuer.token(&claims)
}

#[tokio::test]
async fn a_token_with_a_wrong_claim_is_refused_and_says_why() {
    let issuer = Issuer::new("one");
    let keys = KeyFile::of(&[&issuer]);
    trusting(&keys, &issuer)
        .check(async |world| {
            assert_eq!(ask_with(world, &changed(&issuer, json!({}))).await.code(), Code::Ok);
            assert_eq!(ask_with(world, &changed(&issuer, json!({"aud": ["other", AUDIENCE]}))).await.code(), Code::Ok);
            let soon = seconds_from_now(600);
            for (changes, problem) in [
                (json!({"nbf": soon}), "not_yet_valid"),
                (json!({"iat": soon}), "claims"),
                (json!({"exp": null}), "claims"),
                (json!({"exp": soon.to_string()}), "claims"),
                (json!({"exp": soon as f64 + 0.5}), "claims"),
                (json!({"exp": -1}), "claims"),
                (json!({"exp": i64::MAX}), "claims"),
                (json!({"exp": u64::MAX}), "claims"),
                (json!({"iss": null}), "claims"),
                (json!({"iss": format!("{ISSUER}/")}), "issuer"),
                (json!({"iss": [ISSUER]}), "claims"),
                (json!({"aud": null}), "claims"),
                (json!({"aud": "ownership"}), "audience"),
                (json!({"aud": ["https://kubernetes.default.svc"]}), "audience"),
                (json!({"sub": null}), "claims"),
                (json!({"sub": "two words"}), "claims"),
                (json!({"sub": "x".repeat(256)}), "claims"),
                (json!({"sub": "ownership"}), "claims"),
                (json!({"sub": "anonymous"}), "claims"),
                (json!({"role": null}), "claims"),
                (json!({"role": "owner"}), "claims"),
                (json!({"role": ["admin"]}), "claims"),
                (json!({"account_id": null}), "claims"),
                (json!({"account_id": ""}), "claims"),
                (json!({"account_id": []}), "claims"),
                (json!({"account_id": ["acme", 7]}), "claims"),
                (json!({"account_id": "*"}), "claims"),
                (json!({"member_id": null}), "claims"),
                (json!({"member_id": ["anna"]}), "claims"),
            ] {
                let refused = refusal(ask_with(world, &changed(&issuer, changes.clone())).await);
                assert_eq!(
                    (refused.reason.as_str(), refused.metadata["problem"].as_str()),
                    ("TOKEN_INVALID", problem),
                    "{changes}"
                );
            }
            for expired in [seconds_from_now(-2), 0] {
                refusal(ask_with(world, &changed(&issuer, json!({"exp": expired}))).await)
                    .is("IDENTITY_EXPIRED")
                    .lacks("revision");
            }
        })
        .await;
}

#[tokio::test]
async fn what_no_key_of_the_issuer_has_signed_is_no_token() {
    let (issuer, stranger) = (Issuer::new("one"), Issuer::new("one"));
    let keys = KeyFile::of(&[&issuer]);
    trusting(&keys, &issuer)
        .check(async |world| {
            let good = claims("service", "*");
            let [header, body, signature] = &issuer.token(&good).split('.').map(str::to_owned).collect::<Vec<_>>()[..]
            else {
                panic!("three parts")
            };
            let none = |alg: &str| URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": "one"}).to_string());
            let in_pem =
                format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(issuer.public()));
            let as_header = |header: Value| issuer.token_with(&header, &good);
            let forged = URL_SAFE_NO_PAD.encode(claims("admin", "*").to_string());
            for (token, problem) in [
                (stranger.token(&good), "signature"),
                (format!("{header}.{forged}.{signature}"), "signature"),
                (format!("{header}.{body}."), "signature"),
                (format!("{}.{body}.", none("none")), "form"),
                (format!("{}.{body}.", none("None")), "form"),
                (format!("{}.{body}.{signature}", none("none")), "form"),
                (hmac_token(issuer.public(), "one", &good), "algorithm"),
                (hmac_token(in_pem.as_bytes(), "one", &good), "algorithm"),
                (hmac_token(issuer.jwk().to_string().as_bytes(), "one", &good), "algorithm"),
                (as_header(json!({"alg": "ES384", "kid": "one"})), "algorithm"),
                (as_header(json!({"alg": "RS256", "kid": "one"})), "key"),
                (as_header(json!({"alg": "ES256", "kid": "two"})), "key"),
                (as_header(json!({"alg": "ES256", "kid": "../../etc/passwd"})), "key"),
                (as_header(json!({"alg": "ES256", "kid": "' or 1=1 --"})), "key"),
                (as_header(json!({"alg": "ES256", "kid": "one", "crit": ["exp"]})), "form"),
                (as_header(json!({"kid": "one"})), "form"),
                (format!("{header}.{body}"), "form"),
                (format!("{header}.{body}.{signature}.{signature}"), "form"),
                ("garbage".to_owned(), "form"),
                ("a.b.c".to_owned(), "form"),
                ("é.ü.ß".to_owned(), "form"),
                (issuer.token(&json!({"padding": "x".repeat(6_200), "iss": ISSUER})), "size"),
            ] {
                let refused = refusal(ask_with(world, &token).await);
                assert_eq!(
                    (refused.reason.as_str(), refused.metadata["problem"].as_str()),
                    ("TOKEN_INVALID", problem),
                    "{token}"
                );
                assert!(!refused.message.contains(&token[..token.len().min(12)]), "{refused:?}");
            }
            // A token may say where its key is; nobody goes there.
            let elsewhere = json!({"alg": "ES256", "kid": "one", "jku": "http://127.0.0.1:1/", "jwk": stranger.jwk()});
            assert_eq!(ask_with(world, &as_header(elsewhere.clone())).await.code(), Code::Ok);
            refusal(ask_with(world, &stranger.token_with(&elsewhere, &good)).await).is("TOKEN_INVALID");
        })
        .await;
}

#[tokio::test]
async fn a_call_shows_one_token_and_nothing_else() {
    let issuer = Issuer::new("one");
    let keys = KeyFile::of(&[&issuer]);
    trusting(&keys, &issuer)
        .check(async |world| {
            let good = format!("bearer {}", issuer.service());
            assert_eq!(ask(world, &[("authorization", &good)]).await.code(), Code::Ok);
            for wrong in ["Basic YTpi", "Bearer", "Bearer ", "Bearer  ", &issuer.service()] {
                refusal(ask(world, &[("authorization", wrong)]).await).is("TOKEN_INVALID").says("problem", "form");
            }
            let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
            refusal(ask(world, &twice).await).is("TOKEN_INVALID").says("problem", "form");
        })
        .await;
}

#[tokio::test]
async fn a_token_is_written_down_nowhere() {
    let issuer = Issuer::new("one");
    let keys = KeyFile::of(&[&issuer]);
    let collector = Collector::default();
    let expired = changed(&issuer, json!({"exp": 1}));
    trusting(&keys, &issuer)
        .set("telemetry.log", "debug")
        .set("telemetry.otlp_endpoint", collector.start())
        .check(async |world| {
            world.account().leads(["L1"]).await;
            refusal(ask_with(world, &expired).await).is("IDENTITY_EXPIRED");
            world.replicas[0].terminate();
            world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            let told = format!("{}{:?}", world.replicas[0].log(), collector.spans());
            for token in [world.way.token.as_ref().unwrap(), &expired] {
                for part in token.split('.') {
                    assert!(!told.contains(part), "{part}");
                }
            }
        })
        .await;
}

#[tokio::test]
async fn keys_in_a_file_are_replaced_without_a_restart() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let keys = KeyFile::of(&[&old]);
    trusting(&keys, &new)
        .set("auth.jwt.refresh_interval", "50ms")
        .check(async |world| {
            let is = async |issuer: &Issuer, code: Code| {
                (ask_with(world, &issuer.service()).await.code() == code).then_some(())
            };
            // Its token is remembered as verified from here on.
            let of_old = old.service();
            assert_eq!(ask_with(world, &of_old).await.code(), Code::Ok);
            keys.publish(&[&old, &new]);
            eventually("both keys are good", async || is(&new, Code::Ok).await).await;
            assert_eq!(ask_with(world, &of_old).await.code(), Code::Ok);
            for broken in ["", "{}", r#"{"keys":[]}"#] {
                keys.say(broken);
                tokio::time::sleep(Duration::from_millis(150)).await;
                assert_eq!(ask_with(world, &of_old).await.code(), Code::Ok, "what was there before stays: {broken}");
            }
            assert!(world.replicas[0].log().contains("cannot be renewed"));
            keys.publish(&[&new]);
            eventually("the old key is let go", async || {
                (ask_with(world, &of_old).await.code() == Code::Unauthenticated).then_some(())
            })
            .await;
            assert_eq!(ask_with(world, &new.service()).await.code(), Code::Ok);
        })
        .await;
}

#[tokio::test]
async fn a_key_that_is_not_known_yet_is_looked_for_at_once_and_not_too_often() {
    let (old, new, unknown) = (Issuer::new("old"), Issuer::new("new"), Issuer::new("unknown"));
    let server = KeyServer::default();
    let url = server.start(&[&old]);
    one_replica()
        .taking_tokens(&new.service())
        .set("auth.jwt.keys_url", url)
        .set("auth.jwt.refresh_interval", "1h")
        .set("auth.jwt.keys_max_age", "2h")
        .check(async |world| {
            assert_eq!((ask_with(world, &old.service()).await.code(), server.asked()), (Code::Ok, 1));
            server.publish(&[&old, &new]);
            assert_eq!((ask_with(world, &new.service()).await.code(), server.asked()), (Code::Ok, 2));
            for _ in 0..20 {
                refusal(ask_with(world, &unknown.service()).await).is("TOKEN_INVALID").says("problem", "key");
            }
            assert_eq!(server.asked(), 2, "a token cannot make the service ask as often as it likes");
        })
        .await;
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_trusted_for_a_while_and_then_nobody_is() {
    let (issuer, stranger) = (Issuer::new("one"), Issuer::new("two"));
    let server = KeyServer::default();
    let url = server.start(&[&issuer]);
    one_replica()
        .taking_tokens(&issuer.service())
        .set("auth.jwt.keys_url", url)
        .set("auth.jwt.refresh_interval", "100ms")
        .set("auth.jwt.keys_max_age", "2s")
        .check(async |world| {
            let token = issuer.service();
            assert_eq!(ask_with(world, &token).await.code(), Code::Ok);
            for (status, body) in [
                ("500 Internal Server Error", key_set(&[&stranger])),
                ("302 Found", key_set(&[&stranger])),
                ("200 OK", "<html>".to_owned()),
                ("200 OK", "x".repeat(300 * 1024)),
            ] {
                server.say(status, &body);
                let asked = server.asked();
                eventually("it is asked again", async || (server.asked() > asked + 1).then_some(())).await;
                let answer = ask_with(world, &token).await;
                assert!(answer.code() == Code::Ok || refusal(answer).reason == "KEYS_UNAVAILABLE", "{status}");
                refusal(ask_with(world, &stranger.service()).await);
            }
            eventually("trust ends", async || {
                (ask_with(world, &token).await.code() == Code::Unavailable).then_some(())
            })
            .await;
            refusal(ask_with(world, &token).await).is("KEYS_UNAVAILABLE");
            refusal(ask_with(world, &stranger.service()).await).is("KEYS_UNAVAILABLE");
            refusal(ask(world, &[]).await).is("CREDENTIALS_MISSING");
            server.publish(&[&issuer]);
            eventually("the keys are back", async || (ask_with(world, &token).await.code() == Code::Ok).then_some(()))
                .await;
        })
        .await;
}

#[tokio::test]
async fn a_server_whose_issuer_is_down_starts_and_lets_nobody_in() {
    let issuer = Issuer::new("one");
    let server = KeyServer::default();
    let url = server.start(&[&issuer]);
    server.say("503 Service Unavailable", "");
    one_replica()
        .taking_tokens(&issuer.service())
        .set("auth.jwt.keys_url", url)
        .set("auth.jwt.refresh_interval", "100ms")
        .check(async |world| {
            refusal(ask_with(world, &issuer.service()).await).is("KEYS_UNAVAILABLE");
            server.publish(&[&issuer]);
            eventually("the issuer is up", async || {
                (ask_with(world, &issuer.service()).await.code() == Code::Ok).then_some(())
            })
            .await;
        })
        .await;
}

#[tokio::test]
async fn a_stream_ends_with_the_identity_of_its_reader() {
    let issuer = Issuer::new("one");
    let keys = KeyFile::of(&[&issuer]);
    trusting(&keys, &issuer)
        .check(async |world| {
            let account = world.account();
            account.leads(["L1"]).await;
            let mut short = claims("service", "*");
            short["exp"] = seconds_from_now(2).into();
            let token = issuer.token(&short);
            let reader = account.with_token(world, &token);
            let mut watching = reader.watch().earliest().every(1).open().await;
            watching.until(1).await;
            let ending = tokio::time::timeout(Duration::from_secs(20), watching.end());
            let (position, refusal) = ending.await.expect("it ends");
            assert_eq!((refusal.is("IDENTITY_EXPIRED").number("revision"), position), (1, 1));
            reader.settings().refused().await.is("IDENTITY_EXPIRED").lacks("revision");
            assert!(world.replicas[0].is_running());
            account.leads(["L2"]).await;
            assert_eq!(
                account.watch().after(position).open().await.until(2).await.len(),
                1,
                "another token goes on there"
            );
        })
        .await;
}

#[test]
fn a_server_that_would_let_in_nobody_or_everybody_does_not_start() {
    let refused = |settings: &[(&str, &str)]| {
        let setup = settings.iter().fold(Setup::default(), |setup, (key, value)| setup.set(key, value));
        setup.start().start_another().err().expect("it does not start")
    };
    let jwt =
        [("auth.jwt.issuer", ISSUER), ("auth.jwt.audience", AUDIENCE), ("auth.jwt.keys_file", "/nowhere/keys.json")];
    let log = refused(&jwt);
    assert!(log.contains("auth.jwt cannot be used") && log.contains("file of keys"), "{log}");
    let log = refused(&jwt[..1]);
    assert!(log.contains("auth.jwt.audience") && log.contains("auth.jwt.keys_file"), "{log}");
    let log = refused(&[("server.listen", "0.0.0.0:0")]);
    assert!(log.contains("server.allow_insecure") && log.contains("auth.jwt.issuer"), "{log}");
}
