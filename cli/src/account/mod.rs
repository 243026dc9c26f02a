//! Steps of getting in and out that several commands share: an organisation is founded, a recovery kit kept, a device signed out.

pub(crate) mod device_login;
pub(crate) mod founding;
pub(crate) mod recovery_kit;
pub(crate) mod status;
