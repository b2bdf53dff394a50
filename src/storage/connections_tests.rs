use sqlx::{
    Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::*;

const PATIENCE: Duration = Duration::from_millis(50);

fn of(most: u32) -> Arc<Connections<Sqlite>> {
    let pool = SqlitePoolOptions::new().max_connections(most).acquire_timeout(PATIENCE).test_before_acquire(false);
    Connections::new(pool.connect_lazy_with(SqliteConnectOptions::new().in_memory(true)))
}

/// Writes a name into a connection, which has a database of its own.
async fn name(lease: &mut Lease<Sqlite>, name: &'static str) {
    let connection: &mut SqliteConnection = lease.connection().unwrap();
    let named = sqlx::raw_sql(name).execute(connection).await.map(drop);
    lease.learn(named).unwrap();
}

async fn is_named(lease: &mut Lease<Sqlite>) -> bool {
    let connection: &mut SqliteConnection = lease.connection().unwrap();
    let found = sqlx::query("select * from one").fetch_all(connection).await.map(|_| true).or(Ok(false));
    lease.learn(found).unwrap()
}

/// Connections the driver has opened and not closed.
fn opened(connections: &Connections<Sqlite>) -> u32 {
    connections.pool.size()
}

#[tokio::test]
async fn no_more_are_lent_than_may_be_and_waiting_has_an_end() {
    let connections = of(2);
    let _first = connections.lease(None).await.unwrap();
    let second = connections.lease(None).await.unwrap();
    assert!(matches!(connections.lease(None).await.err(), Some(sqlx::Error::PoolTimedOut)));
    drop(second);
    connections.lease(None).await.unwrap();
    assert_eq!(opened(&connections), 2);
}

#[tokio::test]
async fn the_one_used_last_is_lent_next() {
    let connections = of(2);
    let (mut one, mut other) = (connections.lease(None).await.unwrap(), connections.lease(None).await.unwrap());
    name(&mut one, "create table one (x)").await;
    name(&mut other, "create table other (x)").await;
    drop(other);
    drop(one);
    assert!(is_named(&mut connections.lease(None).await.unwrap()).await);
    assert!(is_named(&mut connections.lease(None).await.unwrap()).await);
}

#[tokio::test]
async fn one_whose_statement_went_wrong_in_a_way_that_says_nothing_of_its_state_is_not_lent_again() {
    let connections = of(1);
    let mut lease = connections.lease(None).await.unwrap();
    name(&mut lease, "create table one (x)").await;
    let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    lease.learn::<()>(Err(sqlx::Error::Io(lost))).unwrap_err();
    drop(lease);
    assert!(!is_named(&mut connections.lease(None).await.unwrap()).await);
}

#[tokio::test]
async fn what_was_left_open_is_undone_before_the_next() {
    let connections = of(1);
    let mut lease = connections.lease(None).await.unwrap();
    lease.begin("begin").await.unwrap();
    name(&mut lease, "create table one (x)").await;
    drop(lease);
    let mut lease = connections.lease(None).await.unwrap();
    assert!(!is_named(&mut lease).await);
    // The same one: nothing is open in it.
    lease.begin("begin").await.unwrap();
    lease.commit().await.unwrap();
    assert_eq!(opened(&connections), 1);
}

#[tokio::test]
async fn one_that_rested_is_asked_first_and_one_that_rested_long_goes_back() {
    let connections = of(1);
    let mut lease = connections.lease(None).await.unwrap();
    name(&mut lease, "create table one (x)").await;
    drop(lease);
    let rest = |time: Duration| {
        let mut all = connections.lock();
        all.as_mut().unwrap()[0].rests_since -= time;
    };
    rest(RESTED * 2);
    let mut lease = connections.lease(None).await.unwrap();
    assert!(is_named(&mut lease).await, "it was well");
    drop(lease);
    rest(LONG * 2);
    drop(connections.lease(None).await.unwrap());
    assert_eq!(opened(&connections), 1);
}

#[tokio::test]
async fn once_closed_nothing_is_lent_or_kept() {
    let connections = of(2);
    let lent = connections.lease(None).await.unwrap();
    drop(connections.lease(None).await.unwrap());
    let closing = tokio::spawn({
        let connections = Arc::clone(&connections);
        async move { connections.close().await }
    });
    tokio::task::yield_now().await;
    drop(lent);
    closing.await.unwrap();
    assert_eq!(opened(&connections), 0);
    assert!(matches!(connections.lease(None).await.err(), Some(sqlx::Error::PoolClosed)));
}
