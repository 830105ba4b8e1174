<?php
/** What the visitor asks for, checked: a value that makes no sense counts as not given. */

declare(strict_types=1);

namespace AfStats;

use DateTimeImmutable;

const PAGES = ['tasks' => 'Tasks', 'jobs' => 'Jobs', 'logs' => 'Logs'];
const GROUPS = ['username' => 'User', 'service' => 'Service', 'folder' => 'Folder', 'hostname' => 'Host'];
const LOG_TEXTS = ['subject' => 'Subject', 'type' => 'Type', 'object' => 'Object', 'info' => 'Info'];
const DAYS = 86400;
const DEFAULT_DAYS = 30;
const LOG_PAGE_MOST = 1000;
const TEXT_MOST = 512;

/** Returns the number of characters; the extension mbstring may be missing. */
function length(string $text): int
{
    return preg_match_all('/./su', $text);
}

final class Request
{
    public readonly string $page;
    public readonly string $group;
    public readonly string $metric;
    public readonly string $sort;
    public readonly bool $ascending;
    public readonly bool $csv;
    /** Days as YYYY-MM-DD, both included; empty: no bound. */
    public readonly string $first;
    public readonly string $last;
    /** Begins with a slash and does not end with one; empty: all. */
    public readonly string $folder;
    /** @var array<string, string> exact values by column */
    public readonly array $exact;
    /** @var array<string, string> parts of texts by column */
    public readonly array $parts;
    public readonly int $number;

    /** @param array<mixed> $given as in $_GET */
    public function __construct(array $given, int $now)
    {
        $this->page = self::choice($given, 'page', PAGES, 'tasks');
        $this->group = self::choice($given, 'group', GROUPS, 'username');
        $this->metric = self::choice($given, 'metric', ['time' => 1, 'count' => 1], 'time');
        $this->sort = self::text($given, 'sort');
        $this->ascending = self::text($given, 'order') === 'up';
        $this->csv = self::text($given, 'format') === 'csv';
        $start = date('Y-m-d', $now - DEFAULT_DAYS * DAYS);
        $this->first = array_key_exists('first', $given) ? self::day($given, 'first') : $start;
        $this->last = self::day($given, 'last');
        $folder = rtrim(self::text($given, 'folder'), '/');
        $this->folder = $folder === '' || $folder[0] === '/' ? $folder : "/$folder";
        $exact = [];
        foreach (['username', 'service', 'hostname'] as $name) {
            if (self::text($given, $name) !== '') {
                $exact[$name] = self::text($given, $name);
            }
        }
        $this->exact = $exact;
        $parts = [];
        foreach ($this->page === 'logs' ? array_keys(LOG_TEXTS) : ['jobname'] as $name) {
            if (self::text($given, $name) !== '') {
                $parts[$name] = self::text($given, $name);
            }
        }
        $this->parts = $parts;
        $this->number = min(LOG_PAGE_MOST, max(1, (int) self::text($given, 'number')));
    }

    private static function text(array $given, string $name): string
    {
        $value = $given[$name] ?? '';
        if (!is_string($value) || preg_match('//u', $value) !== 1) {
            return '';
        }
        return preg_replace('/^(.{' . TEXT_MOST . '}).*/su', '$1', str_replace("\0", '', $value));
    }

    private static function choice(array $given, string $name, array $known, string $default): string
    {
        $value = self::text($given, $name);
        return array_key_exists($value, $known) ? $value : $default;
    }

    private static function day(array $given, string $name): string
    {
        $value = self::text($given, $name);
        $day = DateTimeImmutable::createFromFormat('!Y-m-d', $value);
        return $day !== false && $day->format('Y-m-d') === $value ? $value : '';
    }

    /** Returns the start of the first day and the end of the last one in Unix seconds; null: no bound. */
    public function times(): array
    {
        return [
            $this->first === '' ? null : (new DateTimeImmutable($this->first))->getTimestamp(),
            $this->last === '' ? null : (new DateTimeImmutable($this->last))->modify('+1 day')->getTimestamp(),
        ];
    }

    /**
     * Returns an address of this site with some parameters changed.
     *
     * @param array<string, string|null> $changes null: leave it out
     */
    public function link(array $changes = []): string
    {
        $own = array_merge(
            ['page' => $this->page, 'group' => $this->group, 'metric' => $this->metric, 'first' => $this->first],
            ['last' => $this->last, 'folder' => $this->folder, 'sort' => $this->sort],
            ['order' => $this->ascending ? 'up' : ''],
            $this->exact,
            $this->parts,
        );
        $wanted = array_merge($own, $changes);
        $kept = array_filter(
            $wanted,
            fn ($value, $name) => $value !== null && ($value !== '' || $name === 'first'),
            ARRAY_FILTER_USE_BOTH,
        );
        return '?' . http_build_query($kept);
    }
}
