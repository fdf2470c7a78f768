/// One column of rows, as the array of a statement that writes or reads many of them by `unnest`.
pub fn column_of<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
