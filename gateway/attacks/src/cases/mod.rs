//! What is tried: a file a family. A case is a future that panics if its claim does not hold.

#[cfg(feature = "alone")]
mod alone;
mod answers;
mod asking;
mod choice;
mod control;
mod destination;
mod floods;
mod held;
mod http2;
mod limits;
mod links;
mod live;
mod minting;
mod placeholders;
mod protocols;
mod shapes;
mod ways;
mod websocket;

use crate::Case;

macro_rules! table {
    ($($part:ident { $($name:ident,)* })*) => {
        [$(table!(of $part $($name)*)),*]
    };
    (of alone $($name:ident)*) => {
        &[$(#[cfg(feature = "alone")] case!(alone $name)),*]
    };
    (of $part:ident $($name:ident)*) => {
        &[$(case!($part $name)),*]
    };
}

macro_rules! case {
    ($part:ident $name:ident) => {
        Case::new(stringify!($part), stringify!($name), || Box::pin($part::$name()))
    };
}

/// Every case, a file's together.
pub(crate) const ALL: &[&[Case]] = &each_attack!(table);
