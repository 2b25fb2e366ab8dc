#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {

// Once each, whichever files the tests of these suites are in.
INSTANTIATE_TEST_SUITE_P(All, StoreTest, AllStores(), NameOfParam);
INSTANTIATE_TEST_SUITE_P(All, DurableStoreTest, DurableStores(), NameOfParam);

}  // namespace ebla::tabletserver::testing
