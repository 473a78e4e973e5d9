//! The one list of checks: which there are, which clauses each tests, and how it is run.

use crate::check::{Check, Kind};
use crate::checks as groups;
use crate::drills::drill_checks;

/// Hands the list of checks to a macro, so that the registry and the tests of [`suite!`](crate::suite) are made of the same
/// list. For each check: how it is run, its function, and the clauses that it tests.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_check {
    ($($callback:tt)+) => {
        $($callback)+! {
            paths {
                Example accepted_names ["PATH-1", "GET-1", "STAT-1"];
                Example refused_names ["PATH-2", "PATH-3"];
                Example longest_names ["PATH-3"];
                Example case_matters ["PATH-4"];
                Example the_root_is_no_file ["PATH-5"];
                Example directories_follow_their_files ["PATH-6"];
            }
            files {
                Example contents_of_every_size ["GET-1", "READ-1", "PUT-8"];
                Example odd_contents ["GET-1"];
                Example overwriting ["PUT-1", "PUT-3"];
                Example missing_files ["GET-2"];
                Example bytes_are_limited ["GET-3"];
                Example infos_belong_to_their_bytes ["GET-4", "PUT-8"];
                Example ranges_of_get ["GET-5", "GET-4"];
                Example payloads_in_pieces ["PUT-9"];
                Example puts_are_seen_at_once ["PUT-3"];
                Example puts_are_seen_by_others ["PUT-10"];
                Random interrupted_puts ["PUT-2", "CTX-2", "CTX-3"];
            }
            reads {
                Example ranges_of_streams ["READ-1", "READ-2", "READ-8"];
                Random split_ranges_are_the_whole ["READ-1"];
                Example missing_files ["READ-2"];
                Example streams_opened_before_a_change ["READ-3"];
                Example readers_side_by_side ["READ-6"];
                Alone abandoned_streams ["READ-5"];
            }
            histories {
                Random have_one_order ["CONC-1", "PUT-1", "CONC-2"];
            }
            dropped {
                Random at_every_suspension_point [
                    "PUT-2", "PUT-3", "WRITE-2", "WRITE-3", "WRITE-4", "WRITE-13", "WRITE-25", "MOVE-1", "MOVE-6",
                    "DEL-1"
                ];
            }
            sequences {
                Random agree_with_the_model [
                    "GET-1", "GET-2", "GET-3", "GET-4", "GET-5", "PUT-1", "PUT-3", "PUT-8", "READ-1", "READ-2",
                    "READ-3", "READ-8", "WRITE-1", "WRITE-2", "WRITE-3", "WRITE-4", "WRITE-5", "WRITE-6", "WRITE-7",
                    "WRITE-8", "WRITE-9", "WRITE-12", "WRITE-13", "WRITE-19", "WRITE-21", "WRITE-22", "WRITE-24",
                    "STAT-1", "STAT-2", "STAT-3", "STAT-4", "LIST-1", "LIST-2", "LIST-3", "LIST-4", "LIST-7",
                    "LIST-10", "MOVE-1", "MOVE-2", "MOVE-3", "MOVE-4", "MOVE-5", "DEL-1", "DEL-2", "DEL-3", "DEL-6",
                    "DEL-8", "ERR-1", "ERR-9"
                ];
            }
            writes {
                Example chunks_of_any_size ["WRITE-1", "WRITE-9", "PUT-8"];
                Random chunks_at_random ["WRITE-1", "WRITE-9"];
                Example large_files ["WRITE-1", "MOVE-7"];
                Example nothing_shows_before_the_commit ["WRITE-2"];
                Example commits_replace ["WRITE-3"];
                Example cancel_leaves_nothing ["WRITE-4"];
                Example dropped_writers_publish_nothing ["WRITE-4"];
                Example empty_commits ["WRITE-8", "WRITE-9"];
                Random writers_on_one_path ["WRITE-13", "CONC-2"];
                Example a_writer_outlives_its_contexts ["WRITE-14"];
                Example refused_chunks ["WRITE-25", "CTX-1"];
                Example commits_to_another_path ["WRITE-19"];
                Example commits_elsewhere_in_one_step ["WRITE-20"];
            }
            sessions {
                Example continued_where_they_were_closed ["WRITE-5", "WRITE-9"];
                Random continued_at_random ["WRITE-5"];
                Example truncating_discards_the_earlier ["WRITE-6"];
                Example appending_where_nothing_is_kept ["WRITE-7"];
                Example asking_has_no_side_effect ["WRITE-12"];
                Example a_resumed_session_has_one_owner ["WRITE-13"];
                Example one_owner_among_all_handles ["WRITE-23"];
                Example a_dropped_owner_leaves_what_was_kept ["WRITE-4"];
                Example continued_through_another_handle ["WRITE-16"];
                Example abandoned ["WRITE-21"];
                Example expected_sizes ["WRITE-22"];
                Example files_and_sessions_are_apart ["WRITE-24"];
                Example kept_until_somebody_ends_them ["LIMIT-4"];
            }
            stats {
                Example files ["STAT-1", "LIST-1"];
                Example directories ["STAT-2"];
                Example missing ["STAT-3"];
                Example the_root ["STAT-4"];
            }
            listing {
                Example direct_descendants ["LIST-1", "LIST-2"];
                Example all_files_below ["LIST-7", "LIST-2"];
                Example levels_unite ["LIST-7"];
                Example begun_behind_a_key ["LIST-2"];
                Example missing_directories ["LIST-3"];
                Example siblings_are_apart ["LIST-4"];
                Example of_any_length ["LIST-5"];
                Example in_pages_of_any_size ["LIST-10"];
                Random while_others_come_and_go ["LIST-6", "LIST-9", "LIST-2"];
                Example foreign_entries_are_passed_over ["LIST-8"];
            }
            moves {
                Example arrive ["MOVE-1", "MOVE-9"];
                Example of_every_size ["MOVE-7", "MOVE-1"];
                Example replace_the_target ["MOVE-2", "MOVE-1"];
                Example missing_sources ["MOVE-3", "MOVE-5"];
                Example onto_itself ["MOVE-4"];
                Random never_out_of_sight ["MOVE-6"];
                Example sessions_stay ["MOVE-1"];
            }
            deletes {
                Example files_and_trees ["DEL-1"];
                Example missing ["DEL-2"];
                Random racing ["DEL-2"];
                Example siblings_stay ["DEL-3"];
                Example many ["DEL-4"];
                Example the_root_is_refused ["DEL-5"];
                Example sessions_go_with_their_tree ["DEL-6"];
                Random puts_beside_the_last_delete ["DEL-7"];
                Example several_files ["DEL-8"];
                Example as_many_as_declared ["LIMIT-3"];
                Example a_version_with_a_tree ["ERR-9"];
            }
            conditions {
                Example put_if_absent ["PUT-4"];
                Random races_of_put_if_absent ["PUT-4"];
                Example put_if_match ["PUT-6"];
                Random races_of_put_if_match ["PUT-6"];
                Example read_if_match ["READ-7"];
                Example commit_if_absent ["WRITE-17"];
                Random races_of_commit_if_absent ["WRITE-17"];
                Example commit_if_match ["WRITE-18"];
                Example commit_elsewhere_if_absent ["WRITE-20", "WRITE-17"];
                Example delete_if_match ["DEL-9"];
            }
            namespace {
                Example a_tree_refuses ["PUT-5"];
                Example a_tree_changes_shape ["PUT-5", "PATH-6"];
                Example flat_keeps_both ["PUT-7"];
            }
            capabilities {
                Example undeclared_is_refused ["CAP-1"];
                Example constant ["CAP-2"];
                Example without_contradiction ["CAP-3"];
                Example numbers ["LIMIT-1"];
                Example too_large_is_refused ["LIMIT-2"];
                Example without_urls ["URL-3"];
            }
            contexts {
                Example ended_before_the_call ["CTX-1"];
                Example drivers_look_before_they_publish ["CTX-5"];
                Example a_backend_that_hangs ["CTX-2", "CTX-3"];
                Example streams_end_with_their_context ["CTX-4"];
                Random interrupted_changes ["CTX-3"];
            }
            concurrency {
                Random reads_are_never_torn ["PUT-1", "READ-3", "GET-4"];
                Random ranges_are_of_one_version ["READ-3", "READ-1"];
                Random different_paths ["CONC-3"];
                Example writers_of_different_files ["CONC-3"];
                Random moves_are_atomic ["MOVE-8"];
            }
            errors {
                Example kinds_and_places ["ERR-1", "ERR-9"];
                Example no_secret_shows ["ERR-4"];
                Example lost_answers ["ERR-8"];
            }
            durability {
                Example opened_again ["DUR-1"];
                Example kept_sessions_are_there_again ["DUR-1", "WRITE-16"];
            }
            laws {
                Random layered_is_bare ["LAYER-1"];
                Random prefixed_is_bare ["LAYER-2"];
            }
        }
    };
}

/// A list of checks, the functions of which are in the modules of `$groups`.
macro_rules! checks_of {
    ($groups:ident; $($group:ident { $($kind:ident $name:ident [$($clause:literal),+];)+ })+) => {
        &[$($(
            Check {
                name: concat!(stringify!($group), "::", stringify!($name)),
                clauses: &[$($clause),+],
                kind: Kind::$kind,
                run: |case| Box::pin($groups::$group::$name(case)),
            },
        )+)+]
    };
}
pub(crate) use checks_of;

macro_rules! registry {
    ($($list:tt)+) => {
        /// Every check of the suite, in the order in which reports show them.
        pub fn checks() -> &'static [Check] {
            const CHECKS: &[Check] = checks_of! { groups; $($list)+ };
            CHECKS
        }
    };
}

for_each_check!(registry);

/// The check with this name, of the suite or of a drill.
pub fn check(name: &str) -> Option<&'static Check> {
    checks().iter().chain(drill_checks()).find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clause::{clause, clauses};

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = checks().iter().map(|check| check.name).collect();
        assert_eq!(names.len(), checks().len());
    }

    #[test]
    fn checks_name_clauses_that_exist() {
        for check in checks() {
            for id in check.clauses {
                assert!(clause(id).is_some(), "{} names {id}", check.name);
            }
        }
    }

    #[test]
    fn every_clause_has_a_check_or_a_drill() {
        let checked: BTreeSet<_> = checks().iter().flat_map(|check| check.clauses).copied().collect();
        let missing: Vec<_> = clauses()
            .iter()
            .filter(|clause| clause.drill.is_none() && !checked.contains(clause.id))
            .map(|clause| clause.id)
            .collect();
        assert!(missing.is_empty(), "no check tests {missing:?}");
    }

    #[test]
    fn selections_mean_names_groups_clauses_and_families() {
        let check = check("paths::accepted_names").unwrap();
        for selection in ["paths::accepted_names", "paths", "GET-1", "get-1", "PATH"] {
            assert!(check.is_meant_by(selection), "{selection}");
        }
        assert!(!check.is_meant_by("GET-10") && !check.is_meant_by("path"[..3].as_ref()));
    }
}
