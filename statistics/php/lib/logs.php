<?php
/** The journal of the farm's events, the newest first. */

declare(strict_types=1);

namespace AfStats;

const LOG_ROWS = 200;
const LOG_ROWS_CSV = 100000;

/** @return list<array<string, mixed>> one row more than a page has where there are further ones */
function find_logs(Request $request, Database $database, int $now): array
{
    [$from, $to] = $request->times();
    $conditions = ['time >= :from', 'time < :to'];
    $values = [':from' => $from ?? 0, ':to' => $to ?? $now + DAYS];
    foreach ($request->parts as $column => $text) {
        $conditions[] = $database->contains($column, ":$column");
        $values[":$column"] = Database::containing($text);
    }
    $values[':most'] = $request->csv ? LOG_ROWS_CSV : LOG_ROWS + 1;
    $values[':skip'] = $request->csv ? 0 : ($request->number - 1) * LOG_ROWS;
    $sql = 'SELECT time, subject, type, object, info FROM logs WHERE ' . implode(' AND ', $conditions)
        . ' ORDER BY time DESC LIMIT :most OFFSET :skip';
    return $database->query($sql, $values)->fetchAll();
}
