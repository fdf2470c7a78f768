/// Gives each listed struct its type name and topic.
macro_rules! events {
    ($topic:literal: $($name:ident = $message_type:literal),* $(,)?) => {
        $(impl $crate::Message for $name {
            const TYPE: &'static str = $message_type;
            const TOPIC: &'static str = $topic;
        })*
    };
}

/// Gives each listed struct its type name, topic and reply.
macro_rules! requests {
    ($topic:literal: $($name:ident = $message_type:literal -> $reply:ty),* $(,)?) => {
        $(impl $crate::Message for $name {
            const TYPE: &'static str = $message_type;
            const TOPIC: &'static str = $topic;
        }
        impl $crate::Request for $name {
            type Reply = $reply;
        })*
    };
}

/// A plain message struct with public fields and the usual derives.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type),* }
        )*
    };
}
