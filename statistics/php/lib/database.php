<?php
/** Reads the database: prepared statements only, nothing is ever written. */

declare(strict_types=1);

namespace AfStats;

use PDO;
use PDOException;
use PDOStatement;

/** A query may not take longer in PostgreSQL. */
const QUERY_MOST_S = 120;

final class Database
{
    private PDO $pdo;

    public function __construct(Source $source)
    {
        $options = [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_EMULATE_PREPARES => false,
            PDO::ATTR_TIMEOUT => 10,
        ];
        $this->isFile = $source->isFile();
        if ($this->isFile) {
            $this->pdo = self::openFile($source, $options);
            return;
        }
        $this->pdo = new PDO($source->dsn, $source->user, $source->password, $options);
        $this->pdo->exec('SET default_transaction_read_only = on');
        $this->pdo->exec('SET statement_timeout = ' . QUERY_MOST_S * 1000);
        $this->pdo->exec("SET client_encoding = 'UTF8'");
        // PostgreSQL cannot know how few groups our sums have, and would sort all rows by texts: twice the time.
        $this->pdo->exec("SET enable_sort = off; SET jit = off; SET work_mem = '64MB'");
    }

    public readonly bool $isFile;

    /** Opens the file for reading. */
    private static function openFile(Source $source, array $options): PDO
    {
        $path = substr($source->dsn, strlen('sqlite:'));
        if (!is_file($path)) {
            throw new PDOException('There is no statistics file yet, or it may not be read.');
        }
        $options[PDO::SQLITE_ATTR_OPEN_FLAGS] = PDO::SQLITE_OPEN_READONLY;
        $pdo = new PDO($source->dsn, null, null, $options);
        try {
            $pdo->query('SELECT count(*) FROM sqlite_master')->fetch();
        } catch (PDOException $error) {
            // Without a running server there are no files of the write-ahead log, and who may not write in the
            // folder cannot make them. Nobody writes then, so the file can be read as it is.
            if (is_file("$path-wal")) {
                throw $error;
            }
            $pdo = new PDO('sqlite:file:' . strtr(rawurlencode($path), ['%2F' => '/']) . '?immutable=1', null, null, $options);
        }
        return $pdo;
    }

    /**
     * Runs a query.
     *
     * @param array<string, int|string> $values by name of the placeholder
     */
    public function query(string $sql, array $values = []): PDOStatement
    {
        $statement = $this->pdo->prepare($sql);
        foreach ($values as $name => $value) {
            $statement->bindValue($name, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
        }
        $statement->execute();
        return $statement;
    }

    /** Returns SQL for: the part of a path between a position and the next slash. */
    public function pathPart(string $column, string $position): string
    {
        $rest = "substr(coalesce($column, ''), $position)";
        return $this->isFile
            ? "substr($rest, 1, instr($rest || '/', '/') - 1)"
            : "split_part($rest, '/', 1)";
    }

    /** Returns SQL for: a column contains a text, whatever the case; the text is from `containing`. */
    public function contains(string $column, string $placeholder): string
    {
        $like = $this->isFile ? 'LIKE' : 'ILIKE';
        return "$column $like $placeholder ESCAPE '!'";
    }

    public static function containing(string $text): string
    {
        return '%' . strtr($text, ['!' => '!!', '%' => '!%', '_' => '!_']) . '%';
    }
}
