// Headers that nearly every test includes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pch.h"
