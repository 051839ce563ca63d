//! A terminal of 80 columns, as far as the editor uses one: what a person would see of the bytes that were echoed.

/// Columns of a row.
pub(crate) const WIDTH: usize = 80;

/// Rows of characters, and a cursor.
#[derive(Debug)]
pub(crate) struct Terminal {
    rows: Vec<Vec<char>>,
    pub(crate) row: usize,
    pub(crate) column: usize,
    /// A row is full, and the next character goes to the next one.
    is_wrapping: bool,
    /// Whether an escape sequence was ever seen.
    pub(crate) is_steered: bool,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { rows: vec![vec![' '; WIDTH]], row: 0, column: 0, is_wrapping: false, is_steered: false }
    }

    /// A row from edge to edge.
    pub(crate) fn cells(&self, row: usize) -> &[char] {
        &self.rows[row]
    }

    /// What stands in a row, without the blanks at its end.
    pub(crate) fn text(&self, row: usize) -> String {
        self.cells(row).iter().collect::<String>().trim_end_matches(' ').to_owned()
    }

    fn next_row(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(vec![' '; WIDTH]);
        }
    }

    /// Does what the bytes say; refuses any that the editor has no business to send.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("only UTF-8 is echoed");
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if matches!(c, '\r' | '\u{8}' | '\u{1b}') {
                self.is_wrapping = false;
            }
            match c {
                '\r' => self.column = 0,
                '\n' => self.next_row(),
                '\u{8}' => self.column = self.column.saturating_sub(1),
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "{text:?}");
                    self.is_steered = true;
                    let after = rest.as_str().trim_start_matches(|c: char| c.is_ascii_digit());
                    let number = &rest.as_str()[..rest.as_str().len() - after.len()];
                    rest = after.chars();
                    match (number, rest.next()) {
                        ("", Some('K')) => self.rows[self.row][self.column..].fill(' '),
                        (number, Some('C')) => self.column += number.parse::<usize>().expect("a number"),
                        ("", Some('H')) => (self.row, self.column) = (0, 0),
                        ("2", Some('J')) => self.rows.iter_mut().for_each(|row| row.fill(' ')),
                        other => panic!("an escape sequence of no use: {other:?} in {text:?}"),
                    }
                    assert!(self.column < WIDTH, "beyond the edge: {text:?}");
                }
                c if c.is_control() => panic!("control character {c:?} in {text:?}"),
                c => {
                    if std::mem::take(&mut self.is_wrapping) {
                        self.column = 0;
                        self.next_row();
                    }
                    self.rows[self.row][self.column] = c;
                    self.is_wrapping = self.column == WIDTH - 1;
                    self.column += usize::from(!self.is_wrapping);
                }
            }
        }
    }
}
