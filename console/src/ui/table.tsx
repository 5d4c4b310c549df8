import type { ComponentChildren, JSX } from "preact";

/** A column of a table. */
export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** The content of the column's cell in a row. */
  readonly cell: (row: Row) => ComponentChildren;
  /** Whether the column has numbers, which are aligned to the end of the cell. */
  readonly isNumber?: boolean | undefined;
  /** Whether this column names the row for screen readers. */
  readonly isName?: boolean | undefined;
}

export interface TableProps<Row> {
  /** Name of the table, for screen readers. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Class names of a row. */
  readonly rowClass?: ((row: Row) => string) | undefined;
}

/**
 * A table of one bounded page of rows. The keys `j` and `k` go from row to row, to the first link or button in each. On a
 * small screen each row becomes a card.
 */
export function Table<Row>({ caption, columns, rows, keyOf, rowClass }: TableProps<Row>): JSX.Element {
  return (
    <div class="table-scroll">
      <table class="table">
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ id, title, isNumber }) => (
              <th key={id} scope="col" class={isNumber ? "number" : ""}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} data-row="" class={rowClass?.(row) ?? ""}>
              {columns.map(({ id, title, cell, isNumber, isName }) => {
                const attributes = { class: isNumber ? "number" : "", "data-title": title };
                return isName ? (
                  <th key={id} scope="row" {...attributes}>
                    {cell(row)}
                  </th>
                ) : (
                  <td key={id} {...attributes}>
                    {cell(row)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
