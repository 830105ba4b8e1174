<?php
/** Finds out which database to show. Passwords come from outside only. */

declare(strict_types=1);

namespace AfStats;

use RuntimeException;

/** Where the statistics are, as PDO wants to be told. */
final class Source
{
    public function __construct(
        public readonly string $dsn,
        public readonly ?string $user = null,
        public readonly ?string $password = null,
    ) {
    }

    public function isFile(): bool
    {
        return str_starts_with($this->dsn, 'sqlite:');
    }
}

const FILE_NAME = 'statistics.sqlite3';

/**
 * Returns the database to show; the first of these that is there:
 * - AFSTATS_DSN, AFSTATS_USER, AFSTATS_PASSWORD: as for PDO;
 * - AFSTATS_SQLITE: path of the file of the embedded database;
 * - CGRU_AF_DB_CONNINFO: connection string, as the server takes it;
 * - af_db_conninfo of the files named by AFSTATS_CONFIG, CGRU_CUSTOM_CONFIG and of the tree in CGRU_LOCATION;
 *   where it is empty, the file in af_store_folder.
 */
function find_source(): Source
{
    $dsn = environment('AFSTATS_DSN');
    if ($dsn !== '') {
        return new Source($dsn, environment('AFSTATS_USER') ?: null, environment('AFSTATS_PASSWORD') ?: null);
    }
    $file = environment('AFSTATS_SQLITE');
    if ($file !== '') {
        return new Source("sqlite:$file");
    }
    $settings = read_settings();
    $conninfo = environment('CGRU_AF_DB_CONNINFO') ?: ($settings['af_db_conninfo'] ?? null);
    if (is_string($conninfo) && trim($conninfo) !== '') {
        return source_of_conninfo($conninfo);
    }
    $folder = environment('CGRU_AF_STORE_FOLDER') ?: ($settings['af_store_folder'] ?? null);
    if (is_string($folder) && $folder !== '') {
        return new Source("sqlite:$folder/" . FILE_NAME);
    }
    throw new RuntimeException('No database is configured: set AFSTATS_SQLITE, AFSTATS_DSN or AFSTATS_CONFIG.');
}

function environment(string $name): string
{
    $value = getenv($name);
    return $value === false ? (string) ($_SERVER[$name] ?? '') : $value;
}

/** Returns the settings of the configuration files; later files win. */
function read_settings(): array
{
    $settings = [];
    $tree = environment('CGRU_LOCATION');
    $files = [
        $tree === '' ? '' : "$tree/config_default.json",
        environment('CGRU_CUSTOM_CONFIG'),
        environment('AFSTATS_CONFIG'),
    ];
    foreach ($files as $file) {
        if ($file !== '') {
            $settings = array_merge($settings, read_settings_file($file, 0));
        }
    }
    return $settings;
}

function read_settings_file(string $file, int $depth): array
{
    $text = is_readable($file) ? file_get_contents($file) : false;
    $content = $text === false ? null : json_decode($text, true);
    $section = is_array($content) ? ($content['cgru_config'] ?? null) : null;
    if (!is_array($section) || $depth > 8) {
        return [];
    }
    $settings = $section;
    $platform = PHP_OS_FAMILY === 'Windows' ? 'OS_windows' : 'OS_' . strtolower(PHP_OS_FAMILY);
    foreach (['OS_unix', $platform] as $name) {
        if (is_array($section[$name] ?? null)) {
            $settings = array_merge($settings, $section[$name]);
        }
    }
    foreach ((array) ($section['include'] ?? []) as $name) {
        if (is_string($name)) {
            $path = str_starts_with($name, '/') ? $name : dirname($file) . "/$name";
            $settings = array_merge($settings, read_settings_file($path, $depth + 1));
        }
    }
    return $settings;
}

/** Makes a PDO source of a connection string of libpq: words or URI. */
function source_of_conninfo(string $conninfo): Source
{
    $words = preg_match('~^postgres(ql)?://~', $conninfo) ? words_of_uri($conninfo) : words_of_conninfo($conninfo);
    $user = $words['user'] ?? null;
    $password = $words['password'] ?? null;
    unset($words['user'], $words['password']);
    $parts = [];
    foreach ($words as $key => $value) {
        $parts[] = "$key='" . addcslashes($value, "\\'") . "'";
    }
    return new Source('pgsql:' . implode(' ', $parts), $user, $password);
}

function words_of_conninfo(string $conninfo): array
{
    $pattern = "~\\s*([a-z_]+)\\s*=\\s*(?:'((?:[^'\\\\]|\\\\.)*)'|((?:[^\\s'\\\\]|\\\\.)*))~A";
    $words = [];
    $offset = 0;
    while (preg_match($pattern, $conninfo, $found, PREG_UNMATCHED_AS_NULL, $offset)) {
        $words[$found[1]] = preg_replace('~\\\\(.)~s', '$1', $found[2] ?? $found[3] ?? '');
        $offset += strlen($found[0]);
    }
    if (trim(substr($conninfo, $offset)) !== '') {
        throw new RuntimeException('The connection string is not understood.');
    }
    return $words;
}

function words_of_uri(string $uri): array
{
    $parts = parse_url($uri);
    if ($parts === false) {
        throw new RuntimeException('The connection string is not understood.');
    }
    parse_str($parts['query'] ?? '', $words);
    $names = ['host' => 'host', 'port' => 'port', 'user' => 'user', 'pass' => 'password', 'path' => 'dbname'];
    foreach ($names as $part => $word) {
        $value = ltrim(rawurldecode((string) ($parts[$part] ?? '')), $part === 'path' ? '/' : '');
        if ($value !== '') {
            $words[$word] = $value;
        }
    }
    return array_map('strval', $words);
}
