<?php
/** Sums of tasks or jobs by name and over time: one pass of the database over the rows, folded here. */

declare(strict_types=1);

namespace AfStats;

/** Most groups (names by steps of time) that are taken from the database. */
const GROUPS_MOST = 300000;
/** Most names that are told apart in the graph while folding. */
const GRAPH_NAMES_MOST = 3000;

/** A column of the table: its title, its value of the sums of a name, how it is shown. */
final class Measure
{
    public function __construct(
        public readonly string $title,
        public readonly \Closure $value,
        public readonly string $form = 'number', // number, percent, time
    ) {
    }
}

final class Report
{
    /** @var array<string, array<string, int|float>> {name: {sum: value}} */
    public array $names = [];
    /** @var array<string, int|float> {sum: value} */
    public array $total;
    /** @var array<string, array<int, int|float>> {name: {step: value of the metric}} */
    public array $graph = [];
    public int $from;
    public int $to;
    /** Seconds of a step of the graph. */
    public int $step;
    /** Whether there were more groups than are taken. */
    public bool $cut = false;

    public function __construct(private readonly Request $request, private readonly Database $database, int $now)
    {
        $this->total = array_fill_keys(array_keys($this->sums()), 0);
        [$from, $to] = $request->times();
        $this->to = $to ?? strtotime('tomorrow', $now);
        $this->from = $from ?? $this->earliest();
        $this->step = self::stepFor($this->to - $this->from);
        $this->collect();
    }

    private function earliest(): int
    {
        $sql = "SELECT min(time_done) FROM {$this->request->page} WHERE time_done > 0";
        $found = (int) $this->database->query($sql)->fetchColumn();
        return $found === 0 ? $this->to - DAYS : strtotime('today', $found);
    }

    private static function stepFor(int $seconds): int
    {
        foreach ([[2, 3600], [14, 6 * 3600], [120, DAYS], [3 * 365, 7 * DAYS]] as [$days, $step]) {
            if ($seconds <= $days * DAYS) {
                return $step;
            }
        }
        return max(30 * DAYS, intdiv($seconds, 100));
    }

    /** Returns what is summed up in SQL. */
    private function sums(): array
    {
        return $this->request->page === 'tasks'
            ? [
                'count' => 'count(*)',
                'time' => 'sum(time_done - time_started)',
                'errors' => 'sum(error)',
                'capacity' => 'sum(capacity)',
            ]
            : [
                'count' => 'count(*)',
                'time' => 'sum(run_time_sum)',
                'tasks' => 'sum(tasks_quantity)',
                'done' => 'sum(tasks_done)',
                'capacity' => 'sum(capacity)',
            ];
    }

    /** @return array<string, Measure> the columns, by the word for sorting */
    public function measures(): array
    {
        $part = fn ($a, $b) => $b == 0 ? 0 : $a / $b;
        $all = $this->total['time'];
        $share = new Measure('Share of time', fn ($sum) => $part($sum['time'], $all), 'percent');
        $capacity = new Measure('Capacity avg', fn ($sum) => $part($sum['capacity'], $sum['count']));
        if ($this->request->page === 'tasks') {
            return [
                'count' => new Measure('Runs', fn ($sum) => $sum['count']),
                'errors' => new Measure('Errors', fn ($sum) => $sum['errors']),
                'error_part' => new Measure('Errors', fn ($sum) => $part($sum['errors'], $sum['count']), 'percent'),
                'time' => new Measure('Run time sum', fn ($sum) => $sum['time'], 'time'),
                'time_avg' => new Measure('Run time avg', fn ($sum) => $part($sum['time'], $sum['count']), 'time'),
                'share' => $share,
                'capacity' => $capacity,
            ];
        }
        return [
            'count' => new Measure('Blocks', fn ($sum) => $sum['count']),
            'tasks' => new Measure('Tasks', fn ($sum) => $sum['tasks']),
            'done' => new Measure('Tasks done', fn ($sum) => $part($sum['done'], $sum['tasks']), 'percent'),
            'time' => new Measure('Run time sum', fn ($sum) => $sum['time'], 'time'),
            'time_avg' => new Measure('Run time of a task', fn ($sum) => $part($sum['time'], $sum['done']), 'time'),
            'share' => $share,
            'capacity' => $capacity,
        ];
    }

    private function collect(): void
    {
        $values = [':from' => $this->from, ':to' => $this->to, ':step' => $this->step];
        $request = $this->request;
        $conditions = ['time_done >= :from', 'time_done < :to'];
        $name = "coalesce({$request->group}, '')";
        if ($request->group === 'folder') {
            $name = $this->database->pathPart('folder', ':position');
            $values[':position'] = length($request->folder) + 2;
        }
        if ($request->folder !== '') {
            $conditions[] = "substr(coalesce(folder, '') || '/', 1, :length) = :folder";
            $values[':folder'] = "$request->folder/";
            $values[':length'] = length($request->folder) + 1;
        }
        foreach ($request->exact as $column => $text) {
            $conditions[] = "$column = :$column";
            $values[":$column"] = $text;
        }
        foreach ($request->parts as $column => $text) {
            $conditions[] = $this->database->contains($column, ":$column");
            $values[":$column"] = Database::containing($text);
        }
        $sums = [];
        foreach ($this->sums() as $sum => $sql) {
            $sums[] = "coalesce($sql, 0) AS $sum";
        }
        $sql = "SELECT $name AS name, (time_done - :from) / :step AS step, " . implode(', ', $sums)
            . " FROM $request->page WHERE " . implode(' AND ', $conditions)
            . ' GROUP BY 1, 2 LIMIT ' . (GROUPS_MOST + 1);
        $this->fold($this->database->query($sql, $values));
    }

    private function fold(iterable $rows): void
    {
        $taken = 0;
        foreach ($rows as $row) {
            if (++$taken > GROUPS_MOST) {
                $this->cut = true;
                break;
            }
            $name = (string) $row['name'];
            $this->names[$name] ??= array_fill_keys(array_keys($this->total), 0);
            foreach ($this->total as $sum => $_) {
                $value = $row[$sum] + 0;
                $this->names[$name][$sum] += $value;
                $this->total[$sum] += $value;
            }
            if (count($this->names) <= GRAPH_NAMES_MOST || isset($this->graph[$name])) {
                $this->graph[$name][(int) $row['step']] = $row[$this->request->metric] + 0;
            } else {
                $this->graph[OTHERS][(int) $row['step']] ??= 0;
                $this->graph[OTHERS][(int) $row['step']] += $row[$this->request->metric] + 0;
            }
        }
    }

    /** @return list<string> the names in the order that the visitor wants */
    public function sorted(): array
    {
        $measures = $this->measures();
        $names = array_map('strval', array_keys($this->names));
        if ($this->request->sort === 'name') {
            sort($names, SORT_NATURAL | SORT_FLAG_CASE);
        } else {
            $measure = $measures[$this->request->sort] ?? $measures['time'];
            $keys = array_map(fn ($name) => ($measure->value)($this->names[$name]), $names);
            array_multisort($keys, SORT_DESC, SORT_NUMERIC, $names, SORT_ASC, SORT_STRING);
        }
        $natural = $this->request->sort === 'name';
        return $this->request->ascending === $natural ? $names : array_reverse($names);
    }
}

/** The graph's name for the rest; no name in the database has a line break and NUL in it. */
const OTHERS = "\n\0others";
