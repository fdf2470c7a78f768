/// One column of rows, as the array of a statement that writes or reads many of them by `unnest`.
///
/// The server keeps each such array in a store of its own and puts rows together from them. Where that matters, a statement takes
/// one array of rows: see [`entry!`](crate::entry).
pub fn column_of<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Says that a struct with `#[derive(sqlx::Encode)]` is a row type of the schema, so that a `Vec` of it is bound as an array of
/// rows. Its fields are those of the type, in order.
#[macro_export]
macro_rules! entry {
    ($entry:ty, $name:literal) => {
        impl ::sqlx::Type<::sqlx::Postgres> for $entry {
            fn type_info() -> ::sqlx::postgres::PgTypeInfo {
                ::sqlx::postgres::PgTypeInfo::with_name($name)
            }
        }

        impl ::sqlx::postgres::PgHasArrayType for $entry {
            fn array_type_info() -> ::sqlx::postgres::PgTypeInfo {
                ::sqlx::postgres::PgTypeInfo::array_of($name)
            }
        }
    };
}
