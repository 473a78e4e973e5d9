//! Tests of the drill, on a driver that looks at every entry before it answers.

use std::sync::Arc;

use driver_api::layers::{Call, Intercept, Verdict as Answer};
use driver_api::{Context, Error, ListOptions, Operation, Result, StorageDriver, StoragePath};
use driver_inmemory::MemoryDriver;
use futures_util::TryStreamExt;

use super::*;
use crate::check::Stop;
use crate::drills::{Entries, Equipment};
use crate::profile::Profile;
use crate::target::{Instance, Target};

/// Lists the whole store before each stat.
#[derive(Debug)]
struct LooksAtAll(Arc<MemoryDriver>);

impl Intercept for LooksAtAll {
    type Pass = ();

    async fn before(&self, context: &Context, call: Call<'_>) -> Result<(Context, ())> {
        if call.operation == Operation::Stat {
            let pages = self.0.list(context, &StoragePath::root(), ListOptions::recursive()).await?;
            pages.try_for_each(|_| std::future::ready(Ok(()))).await?;
        }
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, _: Call<'_>, (): (), _: std::time::Duration, _: Option<&Error>) -> Answer {
        Answer::Answer
    }
}

async fn measured(target: Target) -> (Verdict, Vec<Growth>) {
    let instance = target.fresh().await.unwrap();
    let equipment = Equipment::new(Entries::new(6400).unwrap(), None);
    let case = Case::new(target, instance, Profile::Quick.budget(), 1).equipped(equipment.clone());
    let verdict = growth(&case).await;
    (verdict, equipment.measured())
}

#[tokio::test]
async fn a_stat_that_looks_at_every_entry_is_caught() {
    let target = Target::new("linear", || async {
        let driver = Arc::new(MemoryDriver::default());
        let storage = driver_api::Storage::from_arc(driver.clone());
        Instance::over(storage.layered(LooksAtAll(driver)))
    });
    let (verdict, growths) = measured(target).await;
    let Err(Stop::Failed(failure)) = verdict else { panic!("{verdict:?} {growths:?}") };
    assert_eq!(failure.clauses, ["COST-1"], "{failure}");
    assert!(failure.found.starts_with("stat "), "{failure}");
    let stat = growths.iter().find(|growth| growth.operation == "stat").unwrap();
    assert!(stat.slope() > 0.8 && growths.len() == 6, "{growths:?}");
}

#[tokio::test]
async fn a_driver_that_looks_at_no_other_entry_passes() {
    let target = Target::new("memory", || async { MemoryDriver::default() });
    let (verdict, growths) = measured(target).await;
    assert!(verdict.is_ok() && growths.iter().all(|growth| growth.points.len() == 4), "{verdict:?} {growths:?}");
}
