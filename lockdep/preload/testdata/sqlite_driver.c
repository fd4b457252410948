/*
 * Threads that share one SQLite connection and each have one of their own: usage sqlite_driver THREADS OPERATIONS. The sums that
 * it prints do not depend on the schedule. SQLite in serialised mode locks a mutex several times for each call.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static sqlite3* shared;
static int operations;

static void run(sqlite3* database, const char* sql) {
  char* message = NULL;
  if (sqlite3_exec(database, sql, NULL, NULL, &message) == SQLITE_OK) return;
  fprintf(stderr, "%s: %s\n", sql, message);
  exit(1);
}

static long long ask(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = NULL;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) exit(1);
  const long long value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return value;
}

static void* work(void* argument) {
  const int number = *(int*)argument;
  sqlite3* own = NULL;
  if (sqlite3_open(":memory:", &own) != SQLITE_OK) exit(1);
  run(own, "CREATE TABLE t (v INTEGER)");
  sqlite3_stmt *into_shared = NULL, *into_own = NULL;
  sqlite3_prepare_v2(shared, "INSERT INTO t VALUES (?)", -1, &into_shared, NULL);
  sqlite3_prepare_v2(own, "INSERT INTO t VALUES (?)", -1, &into_own, NULL);
  for (int i = 0; i < operations; ++i) {
    sqlite3_bind_int(into_shared, 1, number + i);
    sqlite3_bind_int(into_own, 1, i);
    if (sqlite3_step(into_own) != SQLITE_DONE) exit(1);
    if (sqlite3_step(into_shared) != SQLITE_DONE) exit(1);
    sqlite3_reset(into_shared);
    sqlite3_reset(into_own);
  }
  sqlite3_finalize(into_shared);
  sqlite3_finalize(into_own);
  if (ask(own, "SELECT sum(v) FROM t") != (long long)operations * (operations - 1) / 2) exit(1);
  sqlite3_close(own);
  return NULL;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 4;
  operations = argc > 2 ? atoi(argv[2]) : 1000;
  sqlite3_config(SQLITE_CONFIG_SERIALIZED);
  if (sqlite3_open_v2(":memory:", &shared, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) !=
      SQLITE_OK) {
    return 1;
  }
  run(shared, "CREATE TABLE t (v INTEGER)");
  pthread_t* handles = calloc((size_t)threads, sizeof *handles);
  int* numbers = calloc((size_t)threads, sizeof *numbers);
  for (int i = 0; i < threads; ++i) {
    numbers[i] = i;
    pthread_create(&handles[i], NULL, work, &numbers[i]);
  }
  for (int i = 0; i < threads; ++i) pthread_join(handles[i], NULL);
  printf("%lld rows, sum %lld\n", ask(shared, "SELECT count(*) FROM t"), ask(shared, "SELECT sum(v) FROM t"));
  sqlite3_close(shared);
  free(handles);
  free(numbers);
  return 0;
}
