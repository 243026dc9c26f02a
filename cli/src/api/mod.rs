//! The server's addresses, one function each. [`client`] is the only HTTP client.

#[cfg(feature = "gateway")]
pub mod agent;
pub mod client;
mod error;
mod handshake;
pub mod probe;
mod tls;

use keyward_crypto::CredentialKeys;
use keyward_wire::api::agents::{AgentsAnswer, RequestCounts};
use keyward_wire::api::audit::{AuditAnswer, AuditQuery};
use keyward_wire::api::auth::{LoginAnswer, LoginRequest, MeAnswer, PreloginAnswer};
use keyward_wire::api::bundle::Bundle;
use keyward_wire::api::credentials::{CredentialsAnswer, NewCredential};
use keyward_wire::api::identities::IdentitiesAnswer;
use keyward_wire::api::org::{OrgAnswer, SecretRef, SecretsAnswer, SecretsRequest};
use keyward_wire::api::recovery::{RecoveryAnswer, RecoveryRequest};
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::{Base, EscrowAnswer, WriteRequest};
use keyward_wire::limits::SECRETS_PER_REQUEST;
use keyward_wire::name::Email;
use keyward_wire::{CredentialId, DeploymentId, IdentityId, Sha256};
use zeroize::Zeroizing;

pub use self::client::Api;
use self::client::{AgentsTag, Answer};
pub use self::error::ApiError;

impl Api {
    /// `POST /v1/signup`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn sign_up(&self, request: &SignupRequest) -> Result<Base, ApiError> {
        self.post("/v1/signup", request).await
    }

    /// `GET /v1/auth/prelogin`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn prelogin(&self, email: &Email) -> Result<PreloginAnswer, ApiError> {
        self.get("/v1/auth/prelogin", &[("email", email.to_string())]).await
    }

    /// `POST /v1/auth/login`; later requests carry the session.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn log_in(
        &mut self,
        cred: CredentialId,
        keys: &CredentialKeys,
    ) -> Result<LoginAnswer, ApiError> {
        let auth = keyward_wire::AuthHalf::from_bytes(Zeroizing::new(*keys.auth.as_bytes()));
        let answer: LoginAnswer = self.post("/v1/auth/login", &LoginRequest { cred, auth }).await?;
        self.authorization = Some(answer.session.authorization());
        Ok(answer)
    }

    /// `POST /v1/auth/logout`. A `former` credential of the same identity ends with the session, if it still lives.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn log_out(&self, former: Option<CredentialId>) -> Result<(), ApiError> {
        let query: Vec<_> = former.iter().map(|former| ("credential", former.to_string())).collect();
        self.post_empty("/v1/auth/logout", &query).await
    }

    /// `GET /v1/me`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn me(&self) -> Result<MeAnswer, ApiError> {
        self.get("/v1/me", &[]).await
    }

    /// `GET /v1/me/bundle` in one request: the credential's own proof authorises it. The body, or `None` if it still is
    /// the one whose hash is `known`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn bundle(
        &self,
        cred: CredentialId,
        keys: &CredentialKeys,
        deployment: Option<DeploymentId>,
        known: Option<Sha256>,
    ) -> Result<Answer, ApiError> {
        self.bundle_request(&keys.auth.authorization(cred), deployment, known).await
    }

    /// `GET /v1/me/bundle` with the session, without secrets that an owner or admin would have to name.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn own_bundle(&self) -> Result<Bundle, ApiError> {
        self.get("/v1/me/bundle", &[]).await
    }

    /// `GET /v1/me/agents` with the session: what a gateway's agents may use now. `None` if it still is the answer of this
    /// `known` tag, after the server waited for another one for `wait_secs`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn agents(
        &self,
        known: Option<&AgentsTag>,
        wait_secs: u64,
    ) -> Result<Option<(AgentsAnswer, AgentsTag)>, ApiError> {
        self.agents_request(known, wait_secs).await
    }

    /// `POST /v1/me/agents/requests` with the session: how many requests of its agents a gateway has decided how.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn count_requests(&self, counts: &RequestCounts) -> Result<(), ApiError> {
        self.post_no_answer("/v1/me/agents/requests", counts).await
    }

    /// `GET /v1/org`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn org(&self) -> Result<OrgAnswer, ApiError> {
        self.get("/v1/org", &[]).await
    }

    /// `POST /v1/org/write`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn write(&self, request: &WriteRequest) -> Result<Base, ApiError> {
        self.post("/v1/org/write", request).await
    }

    /// `POST /v1/secrets/get`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn secrets(&self, secrets: Vec<SecretRef>) -> Result<SecretsAnswer, ApiError> {
        let mut answer = SecretsAnswer { secrets: Vec::with_capacity(secrets.len()) };
        let (mut rest, mut page) = (secrets.as_slice(), SECRETS_PER_REQUEST.min(1_000));
        while !rest.is_empty() {
            let (now, later) = rest.split_at(page.min(rest.len()));
            match self.post("/v1/secrets/get", &SecretsRequest { secrets: now.to_vec() }).await {
                Ok(SecretsAnswer { secrets }) => {
                    answer.secrets.extend(secrets);
                    rest = later;
                }
                // Values are of very different sizes: fewer at a time. The server counts, too, and says 422.
                Err(error)
                    if now.len() > 1 && (error.is_status(422) || matches!(error, ApiError::TooLarge)) =>
                {
                    page = now.len() / 2;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answer)
    }

    /// `GET /v1/escrows/{identity}`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn escrow(&self, identity: IdentityId) -> Result<EscrowAnswer, ApiError> {
        self.get(&format!("/v1/escrows/{identity}"), &[]).await
    }

    /// `GET /v1/identities`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn identities(&self) -> Result<IdentitiesAnswer, ApiError> {
        self.get("/v1/identities", &[]).await
    }

    /// `GET /v1/audit`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditAnswer, ApiError> {
        let mut pairs = Vec::new();
        let mut add =
            |name: &'static str, value: Option<String>| pairs.extend(value.map(|value| (name, value)));
        add("after", query.after.map(|n| n.to_string()));
        add("limit", query.limit.map(|n| n.to_string()));
        add("identity", query.identity.map(|id| id.to_string()));
        add("key", query.key.map(|id| id.to_string()));
        add("since", query.since.map(|n| n.to_string()));
        self.get("/v1/audit", &pairs).await
    }

    /// `GET /v1/recovery`, with a session of the recovery kit.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn recovery(&self) -> Result<RecoveryAnswer, ApiError> {
        self.get("/v1/recovery", &[]).await
    }

    /// `POST /v1/recovery`, with a session of the recovery kit.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn recover(&self, request: &RecoveryRequest) -> Result<Base, ApiError> {
        self.post("/v1/recovery", request).await
    }

    /// `GET /v1/credentials`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn credentials(&self) -> Result<CredentialsAnswer, ApiError> {
        self.get("/v1/credentials", &[]).await
    }

    /// `POST /v1/credentials`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn add_credential(&self, credential: &NewCredential) -> Result<(), ApiError> {
        self.post_no_answer("/v1/credentials", credential).await
    }

    /// `DELETE /v1/credentials/{id}`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn drop_credential(&self, id: CredentialId) -> Result<(), ApiError> {
        self.delete(&format!("/v1/credentials/{id}")).await
    }
}
