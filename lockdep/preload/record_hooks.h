// Functions that stand between the interposed ones and the C library's, if a recording was asked for.
//
// Thread-safety: InstallRecordHooks: before the program's first thread, and again whenever the table was resolved anew.
// Cost:          none where they are not installed.
// Example:       ordeal_resolve_next_functions();   if (process->record.is_open()) InstallRecordHooks();
#ifndef ORDEAL_LOCKDEP_PRELOAD_RECORD_HOOKS_H_
#define ORDEAL_LOCKDEP_PRELOAD_RECORD_HOOKS_H_

namespace ordeal::lockdep {

void InstallRecordHooks();

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_RECORD_HOOKS_H_
