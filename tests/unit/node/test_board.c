// SPDX-License-Identifier: Apache-2.0
// What other threads are told: rows as core and its stream say them, refused entries newest first.
#include "replicator/board.h"

#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <stdio.h>

TEST(a_fresh_node_shows_itself_and_its_partitions)
{
    struct fixture fixture;
    struct backend_node nodes[4];
    struct backend_partition partitions[FIXTURE_PARTITIONS];
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    CHECK_EQ(board_nodes(fixture.board, nodes, 4), 1);
    CHECK_STR(nodes[0].id, "a");
    CHECK_STR(nodes[0].zone, "z1");
    CHECK_STR(nodes[0].digest, "0-000000000000");
    CHECK_EQ(nodes[0].stream, NODE_STREAM_SNAPSHOT);
    CHECK_EQ(board_partitions(fixture.board, partitions, FIXTURE_PARTITIONS), FIXTURE_PARTITIONS);
    CHECK_EQ(partitions[1].partition, 1);
    CHECK_EQ(partitions[1].state, PARTITION_SNAPSHOT);
    fixture_fini(&fixture);
}
END_TEST

TEST(a_lost_connection_is_told_at_once)
{
    struct fixture fixture;
    struct board_view view;
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    board_get_view(fixture.board, &view);
    CHECK(view.connected);
    CHECK_STR(view.backend, "fake");
    fixture.connected = false;
    const struct stream_event down = {.type = STREAM_EV_DOWN, .text = SPAN_LIT("gone")};
    driver_on_stream(fixture.driver, &down);
    board_get_view(fixture.board, &view);
    CHECK(!view.connected);
    CHECK_EQ(view.state, CORE_STATE_CONNECTING);
    CHECK(!board_ready(fixture.board));
    fixture_fini(&fixture);
}
END_TEST

TEST(less_room_than_rows_tells_how_many_there_are)
{
    struct fixture fixture;
    struct backend_partition row;
    CHECK(fixture_init(&fixture));
    CHECK_EQ(board_partitions(fixture.board, NULL, 0), FIXTURE_PARTITIONS);
    CHECK_EQ(board_partitions(fixture.board, &row, 1), FIXTURE_PARTITIONS);
    fixture_fini(&fixture);
}
END_TEST

TEST(the_newest_rejects_are_kept_newest_first)
{
    struct board *board = NULL;
    struct backend_reject rows[BOARD_REJECTS_MAX];
    CHECK_OK(board_new("a", 1, &board));
    CHECK_EQ(board_rejects(board, rows, BOARD_REJECTS_MAX), 0);
    for (uint32_t i = 0; i < BOARD_REJECTS_MAX + 10; i++) {
        const struct backend_reject reject = {.partition = i};
        board_reject(board, &reject);
    }
    CHECK_EQ(board_rejects(board, rows, BOARD_REJECTS_MAX), BOARD_REJECTS_MAX);
    CHECK_EQ(rows[0].partition, BOARD_REJECTS_MAX + 9);
    CHECK_EQ(rows[BOARD_REJECTS_MAX - 1].partition, 10);
    board_free(board);
}
END_TEST

TEST(the_own_name_is_a_node_before_anybody_published)
{
    struct board *board = NULL;
    CHECK_OK(board_new("a", 1, &board));
    CHECK(board_is_node(board, SPAN_LIT("a")));
    CHECK(!board_is_node(board, SPAN_LIT("b")));
    board_free(board);
}
END_TEST

static bool make_one(void *arg)
{
    (void)arg;
    struct board *board = NULL;
    if (board_new("a", 16, &board) != ERR_OK) {
        return false;
    }
    board_free(board);
    return true;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(make_one, NULL) > 0);
}
END_TEST

SUITE("node/board", T(a_fresh_node_shows_itself_and_its_partitions),
      T(a_lost_connection_is_told_at_once), T(less_room_than_rows_tells_how_many_there_are),
      T(the_newest_rejects_are_kept_newest_first),
      T(the_own_name_is_a_node_before_anybody_published), T(every_allocation_may_fail));
