//! The one error type: refused (the caller's doing, told in full) or failed (ours, told to the log only).

use crate::domain::refusal::{Code, Refusal};

/// Why something did not happen.
#[derive(Debug)]
pub enum Error {
    /// A rule said no. The caller is told all of it.
    Refused(Box<Refusal>),
    /// Something broke. The caller sees `500`, or `503` when the database is to blame; the log has the context.
    Failed(anyhow::Error),
}

/// Shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The code a caller is shown.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Failed(error) if error.chain().any(<dyn std::error::Error + 'static>::is::<sqlx::Error>) => {
                Code::Unavailable
            }
            Self::Failed(_) => Code::Internal,
        }
    }

    /// The refusal a caller is shown; failures become [`Code::Internal`] or [`Code::Unavailable`].
    #[must_use]
    pub fn shown(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => (**refusal).clone(),
            Self::Failed(_) => match self.code() {
                Code::Unavailable => Code::Unavailable.refuse().retry_after(std::time::Duration::from_secs(1)),
                code => code.refuse(),
            },
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        code.refuse().into()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(anyhow::Error::new(error).context("the database"))
    }
}
